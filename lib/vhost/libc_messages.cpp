// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_messages.cpp - recvmsg(2), read(2) and sendmsg(2) in place of the C library's: the
//                           program's symbols come first. Calls that are not librte_vhost's go on
//                           to the kernel unchanged.
// Thread: the vhost event thread, and any other.
// Why:    librte_vhost takes a message out of the socket before it acts on it, loses descriptors of
//         messages that it does not like (arrived.hpp), and does not tell who sent one. Here a
//         message stays in the socket until it is answered (message_at_hand.hpp).
// Source: DPDK lib/vhost/socket.c, read_fd_message() and send_fd_message(); lib/vhost/vhost_user.c,
//         read_vhost_message() (22.11 to 26.07).
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "base/in_hand.hpp"
#include "vhost/arrived.hpp"
#include "vhost/at_work.hpp"
#include "vhost/closer.hpp"
#include "vhost/event_thread.hpp"
#include "vhost/exchanges.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/message_at_hand.hpp"

namespace vballoon::vhost {
namespace {

/// Set by the first message header that is read: only librte_vhost's event thread reads these.
thread_local bool is_event_thread = false;

/// Whether this call is read_fd_message()'s.
bool reads_header(const msghdr& message) noexcept {
  return message.msg_controllen != 0 && message.msg_iovlen == 1 &&
         message.msg_iov->iov_len == MessageAtHand::kHeaderBytes;
}

/// Of a connection that has no exchange: it was turned away, or is an earlier daemon's that is
/// repeated. It cannot be looked at again, so there is to be room for all of its descriptors.
ssize_t take_header(int socket, const msghdr& message, int flags) noexcept {
  FdReserve::get().open();
  alignas(cmsghdr) std::array<std::byte, Arrived::kControlBytes> control;
  msghdr own{};
  own.msg_iov = message.msg_iov;
  own.msg_iovlen = 1;
  own.msg_control = control.data();
  own.msg_controllen = control.size();
  const long got = ::syscall(SYS_recvmsg, socket, &own, flags | MSG_CMSG_CLOEXEC);
  if (got > 0) arrived().take(own);
  return got;
}

ssize_t receive_header(int socket, msghdr* message, int flags) noexcept {
  is_event_thread = true;
  static thread_local const CloseElsewhere always;
  now_at(socket);
  arrived().drop();
  message->msg_controllen = 0;
  message->msg_flags = 0;
  keep::Exchange* const exchange = find_exchange(socket);
  if (exchange == nullptr) return take_header(socket, *message, flags);
  auto* const header = static_cast<std::byte*>(message->msg_iov->iov_base);
  return message_at_hand().look(socket, *exchange, header, flags);
}

bool at_hand(int socket) noexcept {
  return is_event_thread && message_at_hand().is_of(socket);
}

}  // namespace

bool on_event_thread() noexcept {
  return is_event_thread;
}

}  // namespace vballoon::vhost

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer learns from it which thread waited for which: EAL starts lcores by a pipe.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" ssize_t __interceptor_read(int fd, void* to, std::size_t bytes);
#endif

extern "C" ssize_t recvmsg(int socket, msghdr* message, int flags) {
  if (vballoon::vhost::reads_header(*message)) {
    return vballoon::vhost::receive_header(socket, message, flags);
  }
  return ::syscall(SYS_recvmsg, socket, message, flags);
}

extern "C" ssize_t read(int fd, void* to, std::size_t bytes) {
  if (vballoon::vhost::at_hand(fd)) {
    return vballoon::vhost::message_at_hand().read(static_cast<std::byte*>(to), bytes);
  }
#ifdef __SANITIZE_THREAD__
  return __interceptor_read(fd, to, bytes);
#else
  return ::syscall(SYS_read, fd, to, bytes);
#endif
}

extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  if (vballoon::vhost::at_hand(socket)) {
    return vballoon::vhost::message_at_hand().answer(*message, flags);
  }
  return ::syscall(SYS_sendmsg, socket, message, flags);
}
