// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_calls.cpp - accept(2), connect(2), socket(2), recvmsg(2), close(2) and unlink(2) as
//                        librte_vhost makes them, seen from here. The program's symbols precede the
//                        C library's; other callers pass through.
// Layer:  vhost, its sources only. Thread: the vhost event thread, and any.
// Why:    librte_vhost does not tell which socket a connection is (Connection), nor who sent a
//         message; it loses descriptors (arrived.hpp); it connects again in the very moment in
//         which a VMM that listens hung up, as often as that likes; without a free descriptor it
//         spins, and goes on with the number of a socket that it has closed; it waits in close(2)
//         (closer.hpp); and it removes whatever stands in its socket's place (socket_path.hpp).
// Source: DPDK lib/vhost/socket.c, vhost_user_read_cb(), vhost_user_server_new_connection(),
//         rte_vhost_driver_unregister() (22.11 to 26.07).
#include "libc_calls.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "arrived.hpp"
#include "base/log.hpp"
#include "closer.hpp"
#include "fd_reserve.hpp"
#include "socket_path.hpp"

namespace vballoon::vhost {
namespace {

thread_local int accepted = -1;
thread_local int connected = -1;
/// Only librte_vhost's event thread reads headers of messages.
thread_local bool is_event_thread = false;

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kCredentialBytes = CMSG_SPACE(sizeof(ucred));
constexpr std::size_t kFdBytes = CMSG_SPACE(Arrived::kMaxFds * sizeof(int));
constexpr int kPauseMs = 10;
constexpr int kTelemetryPauseMs = 200;

/// As read_fd_message() asks for it.
bool reads_header(const msghdr& message) noexcept {
  return message.msg_controllen != 0 && message.msg_iovlen == 1 &&
         message.msg_iov->iov_len == kHeaderBytes;
}

/// Room for the sender alone: that anything was left out shows that there is more.
bool brings_fds(int socket) noexcept {
  alignas(cmsghdr) std::array<std::byte, kCredentialBytes> control;
  std::byte first{};
  iovec part{&first, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const long got = ::syscall(SYS_recvmsg, socket, &message, MSG_PEEK | MSG_DONTWAIT);
  if (got <= 0) return false;
  Arrived seen;
  seen.take(message);
  return (message.msg_flags & MSG_CTRUNC) != 0 || seen.any();
}

ssize_t receive_header(int socket, msghdr* message, int flags) noexcept {
  is_event_thread = true;
  static thread_local const CloseElsewhere always;
  arrived().drop();
  if (brings_fds(socket)) FdReserve::get().open();
  alignas(cmsghdr) std::array<std::byte, kCredentialBytes + kFdBytes> control;
  msghdr own{};
  own.msg_iov = message->msg_iov;
  own.msg_iovlen = 1;
  own.msg_control = control.data();
  own.msg_controllen = control.size();
  const long got = ::syscall(SYS_recvmsg, socket, &own, flags | MSG_CMSG_CLOEXEC);
  message->msg_controllen = 0;
  message->msg_flags = own.msg_flags & ~MSG_CTRUNC;
  if (got > 0) arrived().take(own);
  return got;
}

bool out_of_descriptors() noexcept {
  return errno == EMFILE || errno == ENFILE;
}

/// One of ours; librte_vhost's event thread waits there.
bool is_vhost_listener(int listener) noexcept {
  sockaddr_un address{};
  socklen_t length = sizeof(address);
  const bool known =
      ::getsockname(listener, static_cast<sockaddr*>(static_cast<void*>(&address)), &length) == 0;
  return known && address.sun_family == AF_UNIX &&
         is_claimed({address.sun_path, ::strnlen(address.sun_path, sizeof(address.sun_path))});
}

/// Who waits at the door of a socket keeps it readable: he is let in and sent away, or the event
/// thread would find him there again at once.
void turn_away(int listener) noexcept {
  static LogGate gate;
  std::uint64_t dropped = 0;
  if (gate.open(&dropped)) log::warn("a VMM is turned away: {}", no_descriptors_left());
  FdReserve::get().open();
  const long fd = ::syscall(SYS_accept, listener, nullptr, nullptr);
  if (fd >= 0) ::syscall(SYS_close, fd);
  FdReserve::get().fill();
  if (fd < 0) ::poll(nullptr, 0, kPauseMs);
}

}  // namespace

int last_accepted() noexcept {
  return accepted;
}

int last_connected() noexcept {
  return connected;
}

}  // namespace vballoon::vhost

extern "C" int accept(int socket, sockaddr* address, socklen_t* length) {
  for (;;) {
    const long fd = ::syscall(SYS_accept, socket, address, length);
    vballoon::vhost::accepted = static_cast<int>(fd);
    if (fd >= 0 || !vballoon::vhost::out_of_descriptors()) return static_cast<int>(fd);
    if (vballoon::vhost::is_vhost_listener(socket)) break;
    // DPDK's telemetry: its thread would end.
    ::poll(nullptr, 0, vballoon::vhost::kTelemetryPauseMs);
  }
  vballoon::vhost::turn_away(socket);
  errno = EMFILE;
  return -1;
}

extern "C" int connect(int socket, const sockaddr* address, socklen_t length) {
  // Its thread for that tries once a second.
  if (vballoon::vhost::is_event_thread) {
    errno = EINPROGRESS;
    return -1;
  }
  const long done = ::syscall(SYS_connect, socket, address, length);
  if (done == 0) vballoon::vhost::connected = socket;
  // librte_vhost would take that for success; it is somebody else's socket then.
  if (done != 0 && errno == EISCONN) errno = EBADF;
  return static_cast<int>(done);
}

extern "C" int socket(int domain, int type, int protocol) noexcept {
  long fd = ::syscall(SYS_socket, domain, type, protocol);
  if (fd < 0 && vballoon::vhost::is_event_thread && vballoon::vhost::out_of_descriptors()) {
    vballoon::vhost::FdReserve::get().open();
    fd = ::syscall(SYS_socket, domain, type, protocol);
  }
  return static_cast<int>(fd);
}

extern "C" int close(int fd) {
  if (fd >= 0 && vballoon::vhost::CloseElsewhere::here()) {
    vballoon::vhost::close_elsewhere(fd);
    return 0;
  }
  return static_cast<int>(::syscall(SYS_close, fd));
}

extern "C" ssize_t recvmsg(int socket, msghdr* message, int flags) {
  if (vballoon::vhost::reads_header(*message)) {
    return vballoon::vhost::receive_header(socket, message, flags);
  }
  return ::syscall(SYS_recvmsg, socket, message, flags);
}

extern "C" int unlink(const char* path) noexcept {
  if (!vballoon::vhost::may_unlink(path)) return 0;
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
