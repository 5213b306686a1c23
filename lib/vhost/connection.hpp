// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/connection.hpp - the socket of a VMM's connection, which librte_vhost keeps to itself.
// Thread: whoever holds the device.
// Why:    one event thread serves all VMMs, and it blocks: in reading the rest of a message that
//         somebody began, and in sending an answer that nobody reads. Neither may hold up others.
//         And a connection lives as long as anybody holds its other end, which may be a descriptor
//         that the VMM handed to us, or is on its way in a socket that it handed to us.
// Source: unix(7); socket(7), SO_RCVTIMEO; pidfd_open(2); DPDK lib/vhost/socket.c,
//         read_vhost_message().
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "base/unique_fd.hpp"

namespace vballoon::vhost {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  Connection() noexcept = default;

  /// The one that librte_vhost has just accepted, on this thread.
  /// From here on a message that does not come whole ends it, within a tick of the clock.
  [[nodiscard]] static Connection accepted();
  /// Likewise the one that it has just made to a VMM that listens.
  [[nodiscard]] static Connection made();

  [[nodiscard]] bool valid() const noexcept { return fd_.valid(); }
  /// The process that connected, or that listened; 0 where it is not known.
  [[nodiscard]] pid_t peer() const noexcept;
  /// The one that was heard last, or else connected; 0 where it is not known.
  [[nodiscard]] pid_t process() const noexcept { return process_; }
  /// There is room for an answer.
  [[nodiscard]] bool takes_answers() const noexcept;
  /// The VMM ended it, and not librte_vhost because of what the VMM sent.
  [[nodiscard]] bool hung_up() const noexcept;
  /// Ends it: whoever waits in it comes back, and librte_vhost's event thread sees to the rest.
  void shut_down() noexcept;

  /// A message of this process came; 0 where the kernel does not say (it is in another pid
  /// namespace). Of the process that connected nothing is heard where it passed the connection on.
  void heard_from(pid_t process) noexcept;
  /// The process that was heard last, or else connected, is gone for so long that nobody who took
  /// the connection over from it would still be silent. False where the process is not known.
  [[nodiscard]] bool orphaned(Clock::time_point now) noexcept;

 private:
  explicit Connection(int fd);

  UniqueFd fd_;  // a duplicate: it is let go before librte_vhost's is closed
  pid_t process_ = 0;
  UniqueFd alive_;  // a pidfd of it; invalid where it was gone already
  std::optional<Clock::time_point> gone_since_;
};

/// A socket whose other end is this process's. Held by us it would keep the connection alive.
[[nodiscard]] bool leads_here(int fd) noexcept;

}  // namespace vballoon::vhost
