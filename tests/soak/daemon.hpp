// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/daemon.hpp - the vballoond that is put to the test, and what the host sees of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "driver/daemon_process.hpp"
#include "driver/process_figures.hpp"
#include "rpc/error.hpp"

namespace vballoon::soak {

struct Usage {
  driver::Resident resident;
  std::uint64_t threads = 0;
  std::uint64_t files = 0;
  std::uint64_t log_lines = 0;
  std::map<std::string, int> kinds;  ///< of the files, by what they are
};

/// What there is more of now than there was.
[[nodiscard]] std::string more_files(const Usage& before, const Usage& now);

enum class Lcores {
  kTwoThatSleep,  ///< while there is nothing to do; all else runs on their cpus, too
  kOneThatSpins,  ///< as in production, on a cpu of its own
};

class Daemon {
 public:
  /// With so many devices and one more. @pre no other thread runs; for kOneThatSpins, there are two
  /// cpus. From here on the caller and what it forks stay away from a lcore that spins.
  /// @errors throws.
  Daemon(const std::string& program, unsigned hostile, Lcores lcores);

  /// Number 0 is the honest VM's.
  [[nodiscard]] std::string socket(unsigned device) const;
  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  [[nodiscard]] bool alive() { return process_.alive(); }
  [[nodiscard]] Usage usage() const;
  /// The log's last lines and how it ended, for when it died.
  [[nodiscard]] std::string last_words() const { return process_.last_words(); }

  /// What the operator sees. Nothing when it does not answer.
  [[nodiscard]] std::optional<rpc::Json> list();
  [[nodiscard]] std::optional<rpc::Json> show(unsigned device);
  /// Until it answers. @errors throws, with its last words.
  void wait_until_ready();

 private:
  [[nodiscard]] std::optional<rpc::Json> ask(const char* method, rpc::Json params);

  driver::DaemonProcess process_;
};

}  // namespace vballoon::soak
