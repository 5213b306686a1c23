// SPDX-License-Identifier: BSD-3-Clause
//
// keep/packet.hpp - one datagram of a UNIX socket: bytes, and descriptors beside them.
// Thread: any.
// Source: unix(7), SCM_RIGHTS and SCM_CREDENTIALS; Linux include/net/scm.h, SCM_MAX_FD.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"

namespace vballoon::keep {

/// As many as the kernel lets a datagram have.
inline constexpr std::size_t kMaxDescriptors = 253;

/// To a connected socket, or to an address.
struct Destination {
  int socket = -1;
  const sockaddr* address = nullptr;
  socklen_t address_bytes = 0;
};

/// sendmsg(2) of these parts, one behind the other, without SIGPIPE.
/// @pre     fds.size() <= kMaxDescriptors.
/// @return  0, or errno.
[[nodiscard]] int send_packet(const Destination& to, std::span<const iovec> parts,
                              std::span<const int> fds, int flags) noexcept;

struct Packet {
  std::size_t bytes = 0;  ///< as many as were received; of more than there was room for: see `cut`
  std::vector<UniqueFd> descriptors;  ///< close-on-exec
  bool cut = false;                   ///< there was no room for all bytes
  bool lost = false;                  ///< descriptors were left out: no number was free for them
  pid_t process = 0;                  ///< who sent it, where the socket has SO_PASSCRED
  uid_t user = static_cast<uid_t>(-1);
};

/// recvmsg(2) into these parts. Every descriptor that comes is in the packet, which closes it.
/// @return  0, or errno.
[[nodiscard]] int receive_packet(int socket, std::span<iovec> parts, int flags, Packet* packet);

}  // namespace vballoon::keep
