// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/daemon.hpp - the vballoond that is put to the test, and what the host sees of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rpc/client.hpp"

namespace vballoon::soak {

/// From /proc.
struct Usage {
  std::uint64_t own_bytes = 0;    ///< resident: heap, stacks, code
  std::uint64_t dpdk_bytes = 0;   ///< resident: of the memory set apart for it (eal.memory_mib)
  std::uint64_t guest_bytes = 0;  ///< resident: pages of guests' memory that it looked at
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
  /// By SIGTERM.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Number 0 is the honest VM's.
  [[nodiscard]] std::string socket(unsigned device) const;
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool alive();
  [[nodiscard]] Usage usage() const;
  /// The log's last lines and how it ended, for when it died.
  [[nodiscard]] std::string last_words() const;

  /// What the operator sees. Nothing when it does not answer.
  [[nodiscard]] std::optional<rpc::Json> list();
  [[nodiscard]] std::optional<rpc::Json> show(unsigned device);
  /// Keeps the RPC socket connected; tries until it answers. @errors throws.
  void wait_until_ready();

 private:
  [[nodiscard]] std::optional<rpc::Json> ask(const char* method, rpc::Json params);
  void write_config(unsigned devices, Lcores lcores) const;
  void launch(const std::string& program);

  std::filesystem::path folder_;
  std::optional<rpc::Client> client_;
  pid_t pid_ = -1;
  std::string ending_;
};

}  // namespace vballoon::soak
