// SPDX-License-Identifier: BSD-3-Clause
//
// support/daemon.hpp - the real vballoond, in its development profile.
// Create it before any thread: it forks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/daemon_process.hpp"
#include "driver/message_socket.hpp"
#include "driver/process_figures.hpp"

namespace vballoon::perf {

using driver::Resident;

enum class Lcore {
  kSleeps,  ///< while there is nothing to do
  kPolls,   ///< as in production
};

/// More of the configuration, as TOML.
struct MoreConfig {
  std::string tables;        ///< before the devices
  std::string device_keys;   ///< of each device
  std::string state = {};    ///< folder of what outlives it; empty: none
  std::string program = {};  ///< the daemon; empty: that of this build
};

class Daemon {
 public:
  /// With so many devices, none of which has a VMM yet. @pre no other thread runs.
  explicit Daemon(unsigned devices, Lcore lcore = Lcore::kSleeps, const MoreConfig& more = {});

  /// A VMM's connection to one of its devices. Device 0 tells that the daemon is up.
  [[nodiscard]] driver::MessageSocket connect(unsigned device);

  /// Until it answers.
  void wait_until_ready();
  /// Ends it, and waits for that.
  void end();

  /// Where it answers RPC.
  [[nodiscard]] std::string rpc_socket() const { return process_.rpc_socket(); }

  [[nodiscard]] Resident resident() const { return driver::resident(process_.pid()); }
  /// Asks a guest for a balloon of so many bytes, by RPC. @pre wait_until_ready().
  void set_target(unsigned device, std::uint64_t bytes);

  /// Processor time so far of the thread that has one of these names.
  [[nodiscard]] double thread_ns(std::span<const std::string_view> names) const;
  /// Processor time of its control thread so far.
  [[nodiscard]] double control_ns() const;

 private:
  driver::DaemonProcess process_;
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
