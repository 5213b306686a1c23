// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/notify.hpp - tell the service manager how we are.
// Source: sd_notify(3), "Notes": a datagram of lines to the UNIX socket $NOTIFY_SOCKET;
//         sd_watchdog_enabled(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace vballoon::service {

/// Does nothing at all where no service manager started us.
class Notifier {
 public:
  /// Reads the environment, and clears it for children.
  Notifier();

  /// @param state  one or more lines: "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1".
  void send(std::string_view state) const noexcept;

  /// How often WATCHDOG=1 is due: half of what the service manager allows; nothing: never.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const noexcept {
    return watchdog_;
  }

 private:
  std::string path_;
  std::optional<std::chrono::microseconds> watchdog_;
};

/// True where standard error goes to the journal, which stamps each line itself.
/// @source systemd.exec(5), $JOURNAL_STREAM
[[nodiscard]] bool logs_to_journal();

}  // namespace vballoon::service
