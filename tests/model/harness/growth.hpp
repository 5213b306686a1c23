// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/growth.hpp - what a daemon and its keeper cost, before many ends and after.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <thread>

#include "driver/process_figures.hpp"
#include "kept_daemon.hpp"

namespace vballoon::model {

class Growth {
 public:
  /// @pre  VMs are connected; the daemon has taken them up once.
  explicit Growth(const KeptDaemon& daemon) : daemon_(daemon), before_(at_rest()) {}

  /// @pre  the same VMs are connected.
  void expect_none() const {
    static_cast<void>(eventually([this] { return now().files == before_.files; }));
    EXPECT_EQ(now().files, before_.files);
    EXPECT_EQ(now().keeper_files, before_.keeper_files);
    // A sanitizer holds on to memory that was given back.
    if (!with_sanitizer()) {
      EXPECT_LE(now().bytes, before_.bytes + 4 * kMiB);
    }
    EXPECT_LE(now().keeper_bytes, before_.keeper_bytes + kMiB / 2);
  }

 private:
  using Files = std::map<std::string, int>;  // how many there are of each kind
  struct Costs {
    Files files;
    Files keeper_files;
    std::uint64_t bytes = 0;
    std::uint64_t keeper_bytes = 0;
  };
  static bool with_sanitizer() {
    const char* const which = std::getenv("VBALLOON_MODEL_SANITIZER");
    return which != nullptr && std::string_view(which) != "none";
  }
  /// Names of files in /proc have the process's number.
  static Files files_of(pid_t process) {
    Files files;
    for (const auto& [kind, count] : driver::open_files(process)) {
      files[kind.starts_with("/proc/") ? "/proc" : kind] += count;
    }
    return files;
  }
  [[nodiscard]] Costs now() const {
    const pid_t daemon = daemon_.pid();
    const pid_t keeper = daemon_.keeper().pid();
    return {files_of(daemon), files_of(keeper), driver::resident(daemon).own,
            driver::resident(keeper).own};
  }

  /// The daemon opens some in reserve after its start.
  [[nodiscard]] Costs at_rest() const {
    Costs last = now();
    for (int same = 0; same < 5;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const Costs next = now();
      same = next.files == last.files ? same + 1 : 0;
      last = next;
    }
    return last;
  }

  const KeptDaemon& daemon_;
  const Costs before_;
};

}  // namespace vballoon::model
