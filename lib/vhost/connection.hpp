// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/connection.hpp - the socket of a VMM's connection, which librte_vhost keeps to itself.
// Thread: the thread that holds the device's lock.
// Why:    one event thread serves all VMMs. librte_vhost blocks on it when it reads the rest of a
//         message that a VMM began, and when it sends an answer that the VMM does not read. Neither
//         may hold up other VMMs. And a connection lives as long as any process holds its other
//         end: this process may hold it itself, as a descriptor that the VMM sent, or in the queue
//         of a socket that the VMM sent.
// Source: unix(7); socket(7), SO_RCVTIMEO; pidfd_open(2); DPDK lib/vhost/socket.c,
//         read_vhost_message().
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "base/unique_fd.hpp"

namespace vballoon::vhost {

/// Whether the peer of a connected socket ended the connection.
[[nodiscard]] bool has_hung_up(int socket) noexcept;
/// The process at the other end of a socket, as it connected or listened; 0 where it is not known.
[[nodiscard]] pid_t peer_of(int fd) noexcept;

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  Connection() noexcept = default;

  /// The connection that librte_vhost has just accepted on this thread. From now on a message that
  /// does not come whole ends the connection, within a tick of the clock.
  [[nodiscard]] static Connection accepted();
  /// The connection that librte_vhost has just made on this thread to a VMM that listens. The same
  /// holds for its messages.
  [[nodiscard]] static Connection made();

  /// A connection that librte_vhost has by this number in the place of another one. The same holds
  /// for its messages.
  [[nodiscard]] static Connection taken_up(int number);

  [[nodiscard]] bool valid() const noexcept { return fd_.valid(); }
  /// The descriptor that librte_vhost has of it.
  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// The process that connected, or that listened; 0 where it is not known.
  [[nodiscard]] pid_t peer() const noexcept;
  /// The process that sent the last message, or else connected; 0 where it is not known.
  [[nodiscard]] pid_t process() const noexcept { return process_; }
  /// Whether the socket has room for an answer.
  [[nodiscard]] bool takes_answers() const noexcept;
  /// Whether the VMM ended the connection, and not librte_vhost because of a message of the VMM.
  [[nodiscard]] bool hung_up() const noexcept;
  /// Ends the connection: a thread that waits in the socket returns, and librte_vhost's event
  /// thread does the rest.
  void shut_down() noexcept;

  /// A message of this process came. A process that passed its connection on sends nothing itself.
  /// @param process  0 where the kernel does not say (the process is in another pid namespace).
  void heard_from(pid_t process) noexcept;
  /// Whether process() has been gone for so long that a process which got the connection from it
  /// would have sent something by now. False where the process is not known.
  [[nodiscard]] bool orphaned(Clock::time_point now) noexcept;

 private:
  explicit Connection(int fd);

  UniqueFd fd_;  // a duplicate; closed before librte_vhost closes its own
  int number_ = -1;
  pid_t process_ = 0;
  UniqueFd alive_;  // a pidfd of the process; invalid where the process was gone already
  std::optional<Clock::time_point> gone_since_;
};

/// Whether the other end of the socket is this process's. A connection would stay alive while this
/// process holds such a descriptor.
[[nodiscard]] bool leads_here(int fd) noexcept;

}  // namespace vballoon::vhost
