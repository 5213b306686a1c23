// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/notify.hpp - tells the service manager the daemon's state.
// Source: sd_notify(3), "Notes": a datagram of lines to the UNIX socket $NOTIFY_SOCKET;
//         sd_watchdog_enabled(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace vballoon::service {

/// Does nothing where no service manager started the daemon.
class Notifier {
 public:
  /// Reads the environment, and removes its variables from the environment of children.
  Notifier();

  /// @param state  one or more lines: "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1".
  void send(std::string_view state) const noexcept;

  /// @return how often to send WATCHDOG=1: half of what the service manager allows; nothing: never.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const noexcept {
    return watchdog_;
  }

 private:
  std::string path_;
  std::optional<std::chrono::microseconds> watchdog_;
};

/// Whether standard error goes to the journal, which adds the time to each line itself.
/// @source systemd.exec(5), $JOURNAL_STREAM
[[nodiscard]] bool logs_to_journal();

}  // namespace vballoon::service
