// SPDX-License-Identifier: BSD-3-Clause
//
// keep/notifier.hpp - tells the service manager the daemon's state, and hands it descriptors.
// Thread: any.
// Source: sd_notify(3), "Notes": a datagram of lines to the UNIX socket $NOTIFY_SOCKET;
//         sd_watchdog_enabled(3).
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vballoon::keep {

/// Does nothing where no service manager started the daemon.
class Notifier {
 public:
  /// Reads the environment, and removes its variables from the environment of children.
  Notifier();

  /// A service manager started us, and listens.
  [[nodiscard]] bool listened() const noexcept { return !path_.empty(); }

  /// Where it listens; empty where nobody does.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// It has ended: from now on nobody listens.
  void forget() noexcept { path_.clear(); }

  /// @param state  one or more lines: "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1".
  void send(std::string_view state) const noexcept;

  /// Sends descriptors as well, which the caller keeps. Waits a second at most where the manager
  /// has too much to read.
  /// @pre     listened(); at most kMaxDescriptors.
  /// @return  0, or errno.
  [[nodiscard]] int send_with(std::string_view state, std::span<const int> fds) const noexcept;

  /// @return how often to send WATCHDOG=1: half of what the service manager allows; nothing: never.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const noexcept {
    return watchdog_;
  }

 private:
  std::string path_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace vballoon::keep
