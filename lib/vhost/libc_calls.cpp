// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_calls.cpp - bind(2), listen(2), accept(2) and recvmsg(2) as librte_vhost makes them, seen
//                        from here. The program's symbols precede the C library's; other callers pass
//                        through.
// Layer:  vhost, its sources only. Thread: the vhost event thread, and any.
// Why:    librte_vhost does not tell which socket a new connection is (Connection), and takes no
//         connection that somebody else accepted (Gate).
//         And a message for a ring that cannot be ends the connection before it reaches any
//         callback of ours, and librte_vhost forgets the descriptors that came with it: eight a
//         connection, as often as a VMM likes, until the process has none left. So they are closed
//         here, in front of it, where a request has no use for any.
// Source: DPDK lib/vhost/vhost_user.c, vhost_user_msg_handler(): "failed to alloc queue" (22.11 to
//         26.07); vhost-user protocol, "Front-end message types".
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>

#include "at_work.hpp"
#include "balloon/queue_map.hpp"
#include "libc_calls.hpp"
#include "room.hpp"

namespace vballoon::vhost {
namespace {

thread_local int accepted = -1;

/// What the next socket that this thread binds is to be.
struct Substitute {
  int descriptor;
  AcceptSource* source;
};
thread_local std::optional<Substitute> substitute;

/// Sockets that are substitutes. One for each gate, of which there are eight at most.
struct Bound {
  std::atomic<int> socket{-1};
  std::atomic<AcceptSource*> source{nullptr};  // stored before socket (release), read after (acquire)
};
std::array<Bound, Room::kGates> bound;

AcceptSource* source_of(int socket) noexcept {
  for (const Bound& one : bound) {
    if (one.socket.load(std::memory_order_acquire) == socket) return one.source.load();
  }
  return nullptr;
}

int bind_substitute(int socket) noexcept {
  for (Bound& one : bound) {
    if (one.socket.load() >= 0) continue;
    if (::dup3(substitute->descriptor, socket, O_CLOEXEC) < 0) return -1;
    one.source.store(substitute->source);
    one.socket.store(socket, std::memory_order_release);
    return 0;
  }
  errno = ENOBUFS;
  return -1;
}

constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint32_t kSetInflightFd = 32;

/// SET_INFLIGHT_FD: 8 bytes of size, 8 of offset, the number of rings and their length.
bool names_rings_of_ours(int socket) noexcept {
  std::array<std::uint16_t, 10> payload{};
  const ssize_t there = ::recv(socket, payload.data(), sizeof(payload), MSG_PEEK | MSG_DONTWAIT);
  const unsigned rings = payload[8];
  return there == static_cast<ssize_t>(sizeof(payload)) && rings >= 1 && rings <= balloon::kQueues;
}

bool may_carry_fds(int socket, std::uint32_t request) noexcept {
  switch (request) {
    case 5:   // SET_MEM_TABLE
    case 6:   // SET_LOG_BASE
    case 7:   // SET_LOG_FD
    case 12:  // SET_VRING_KICK, whose ring numbers have 8 bits
    case 13:  // SET_VRING_CALL
    case 14:  // SET_VRING_ERR
    case 21:  // SET_BACKEND_REQ_FD
      return true;
    case kSetInflightFd:
      return names_rings_of_ours(socket);
    default:
      return false;
  }
}

void drop_fds(msghdr& message) noexcept {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      ::close(fd);
    }
  }
  message.msg_controllen = 0;
}

/// Of a message header that has just been read.
void drop_useless_fds(int socket, std::size_t got, msghdr& message) noexcept {
  if (message.msg_controllen == 0 || message.msg_iovlen != 1) return;
  // Shorter ones end the connection, and librte_vhost sees to their descriptors.
  if (got != kHeaderBytes || message.msg_iov->iov_len != kHeaderBytes) return;
  std::uint32_t request = 0;
  std::memcpy(&request, message.msg_iov->iov_base, sizeof(request));
  if (!may_carry_fds(socket, request)) drop_fds(message);
}

}  // namespace

int last_accepted() noexcept {
  return accepted;
}

BoundTo::BoundTo(int descriptor, AcceptSource& source) noexcept {
  substitute = Substitute{descriptor, &source};
}
BoundTo::~BoundTo() {
  substitute.reset();
}

void forget_source(const AcceptSource& source) noexcept {
  for (Bound& one : bound) {
    if (one.source.load() == &source) one.socket.store(-1);
  }
}

}  // namespace vballoon::vhost

extern "C" int bind(int socket, const sockaddr* address, socklen_t length) {
  if (vballoon::vhost::substitute) return vballoon::vhost::bind_substitute(socket);
  return static_cast<int>(::syscall(SYS_bind, socket, address, length));
}

extern "C" int listen(int socket, int backlog) {
  if (vballoon::vhost::substitute) return 0;
  return static_cast<int>(::syscall(SYS_listen, socket, backlog));
}

extern "C" int accept(int socket, sockaddr* address, socklen_t* length) {
  auto* const source = vballoon::vhost::source_of(socket);
  const int fd = source != nullptr
                     ? source->accept()
                     : static_cast<int>(::syscall(SYS_accept, socket, address, length));
  vballoon::vhost::accepted = fd;
  return fd;
}

extern "C" ssize_t recvmsg(int socket, msghdr* message, int flags) {
  vballoon::vhost::now_at(socket);
  const ssize_t got = ::syscall(SYS_recvmsg, socket, message, flags);
  if (got > 0) {
    vballoon::vhost::drop_useless_fds(socket, static_cast<std::size_t>(got), *message);
  }
  return got;
}
