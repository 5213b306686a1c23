// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/connection.hpp - the socket of a VMM's connection, which librte_vhost keeps to itself.
// Layer:  vhost, its sources only. Thread: the vhost event thread.
// Why:    one event thread serves all VMMs, and it blocks: in reading the rest of a message that
//         somebody began, and in sending an answer that nobody reads. Neither may hold up others.
// Source: unix(7); socket(7), SO_RCVTIMEO; DPDK lib/vhost/socket.c, read_vhost_message().
#pragma once

#include <sys/types.h>

#include <string>

#include "base/unique_fd.hpp"

namespace vballoon::vhost {

class Connection {
 public:
  Connection() noexcept = default;

  /// The one that librte_vhost has just accepted, on this thread.
  /// From here on a message that does not come whole ends it, within a tick of the clock.
  [[nodiscard]] static Connection accepted();
  /// The one that it has made to a VMM that listens at this path; invalid where there is none.
  [[nodiscard]] static Connection made_to(const std::string& path);

  [[nodiscard]] bool valid() const noexcept { return fd_.valid(); }
  /// The process that connected, or that listened; 0 where it is not known.
  [[nodiscard]] pid_t peer() const noexcept;
  /// There is room for an answer. True where the connection is not known.
  [[nodiscard]] bool takes_answers() const noexcept;
  /// Ends it, for the VMM and for librte_vhost, whose event thread sees to the rest.
  void end() const noexcept;
  /// The VMM ended it, and not librte_vhost because of what the VMM sent.
  [[nodiscard]] bool hung_up() const noexcept;

 private:
  explicit Connection(int fd);

  UniqueFd fd_;  // a duplicate: it is let go before librte_vhost's is closed
};

}  // namespace vballoon::vhost
