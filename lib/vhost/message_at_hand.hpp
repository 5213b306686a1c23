// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/message_at_hand.hpp - the message that the vhost event thread handles, from the first look
//                             at it until it leaves the socket.
// Thread: each thread has its own object; only the vhost event thread's has a use.
// Why:    a process may end at any instant, and the next one takes the connection up. So a message
//         leaves the socket last, and its answer counts with the call that sends it
//         (keep/exchange.hpp). librte_vhost reads a header, then a payload, and then sends: it gets
//         the first two from one look here (libc_messages.cpp).
// Source: DPDK lib/vhost/vhost_user.c, vhost_user_msg_handler() (22.11 to 26.07).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstddef>

#include "keep/exchange.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

class MessageAtHand {
 public:
  static constexpr std::size_t kHeaderBytes = sizeof(wire::Header);

  /// Looks at the next message. Its descriptors are in arrived().
  /// @param to  gets the header.
  /// @return    as recvmsg(2) of a header. -1 also for a message that ended processes before.
  [[nodiscard]] ssize_t look(int socket, keep::Exchange& exchange, std::byte* to,
                             int flags) noexcept;
  /// There is one, of this socket, that has not left it.
  [[nodiscard]] bool is_of(int socket) const noexcept {
    return exchange_ != nullptr && socket_ == socket;
  }

  /// As read(2) of the payload, the next bytes of it. Waits once for what did not come yet.
  [[nodiscard]] ssize_t read(std::byte* to, std::size_t bytes) noexcept;
  /// As sendmsg(2) of the answer, with which the message is done. An answer that cannot be sent
  /// ends the connection.
  [[nodiscard]] ssize_t answer(const msghdr& message, int flags) noexcept;
  /// There is no answer: the message is done. Nothing happens where an answer was sent.
  void finish() noexcept;

  /// The socket is about to be closed.
  void forget(int socket) noexcept;

 private:
  [[nodiscard]] ssize_t look_once(int flags) noexcept;
  [[nodiscard]] ssize_t look_for_descriptors(int flags) noexcept;
  [[nodiscard]] bool cut() noexcept;
  [[nodiscard]] std::size_t whole() const noexcept;

  keep::Exchange* exchange_ = nullptr;
  int socket_ = -1;
  std::size_t seen_ = 0;   // bytes of the room that are there
  std::size_t given_ = 0;  // and that librte_vhost has
  std::array<std::byte, kHeaderBytes + Message::kMaxPayload> room_{};
};

/// @return the calling thread's object.
[[nodiscard]] MessageAtHand& message_at_hand() noexcept;

}  // namespace vballoon::vhost
