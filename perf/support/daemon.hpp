// SPDX-License-Identifier: BSD-3-Clause
//
// support/daemon.hpp - the real vballoond of this build, in its development profile.
// Create it before any thread: it forks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/message_socket.hpp"

namespace vballoon::perf {

/// Bytes, from /proc/PID/smaps.
struct Resident {
  std::uint64_t own = 0;    ///< the daemon's: heap, DPDK's memory, code
  std::uint64_t guest = 0;  ///< pages of guest RAM (rings, buffers) that it has mapped in

  [[nodiscard]] std::uint64_t all() const noexcept { return own + guest; }
};

enum class Lcore {
  kSleeps,  ///< while there is nothing to do
  kPolls,   ///< as in production
};

/// More of the configuration, as TOML.
struct MoreConfig {
  std::string tables;       ///< before the devices
  std::string device_keys;  ///< of each device
  std::string state = {};   ///< folder of what outlives it; empty: none
};

class Daemon {
 public:
  /// With so many devices, none of which has a VMM yet. @pre no other thread runs.
  explicit Daemon(unsigned devices, Lcore lcore = Lcore::kSleeps, const MoreConfig& more = {});
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// A VMM's connection to one of its devices. Device 0 tells that the daemon is up.
  [[nodiscard]] driver::MessageSocket connect(unsigned device);

  /// Until it says so.
  void wait_until_ready() const;
  /// Ends it, and waits for that.
  void end();

  [[nodiscard]] Resident resident() const;
  /// Asks a guest for a balloon of so many bytes, by RPC.
  void set_target(unsigned device, std::uint64_t bytes) const;

  /// Processor time so far of the thread that has one of these names.
  [[nodiscard]] double thread_ns(std::span<const std::string_view> names) const;
  /// Processor time of its control thread so far.
  [[nodiscard]] double control_ns() const;

 private:
  [[nodiscard]] std::string socket(unsigned device) const;
  void write_config(unsigned devices, Lcore lcore, const MoreConfig& more) const;
  void launch();
  [[noreturn]] void tell_and_give_up(const std::string& why) const;

  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

/// Guests at the daemon's next devices, until there are so many.
/// @param how  more for the guest's constructor.
template <typename Guest, typename... How>
void attach_until(unsigned count, Daemon& daemon, std::vector<std::unique_ptr<Guest>>& guests,
                  const How&... how) {
  while (guests.size() < count) {
    const auto next = static_cast<unsigned>(guests.size());
    guests.push_back(std::make_unique<Guest>(daemon.connect(next), how...));
  }
}

/// Thousands of VMs have tens of thousands of files.
void raise_file_limit();

}  // namespace vballoon::perf
