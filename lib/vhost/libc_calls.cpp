// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_calls.cpp - bind(2), listen(2), accept(2), connect(2), socket(2) and close(2) in place
//                        of the C library's: the program's symbols come first. Calls that are not
//                        librte_vhost's go on to the kernel unchanged. Those that read and send are
//                        in libc_messages.cpp.
// Thread: the vhost event thread, and any other.
// Why:    librte_vhost does not tell the socket of a connection (Connection). It takes no
//         connection that other code accepted (Gate). When a VMM that listens hangs up, it connects
//         again at once, as often as the VMM likes. Without a free descriptor it goes on with the
//         number of a socket that it has closed. And it waits in close(2) (closer.hpp).
// Source: DPDK lib/vhost/socket.c, vhost_user_read_cb(), vhost_user_server_new_connection(),
//         vhost_user_start_server() (22.11 to 26.07).
#include "vhost/libc_calls.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "vhost/closer.hpp"
#include "vhost/event_thread.hpp"
#include "vhost/exchanges.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/message_at_hand.hpp"
#include "vhost/room.hpp"

namespace vballoon::vhost {
namespace {

thread_local int accepted = -1;
thread_local int connected = -1;

/// What the next socket that this thread binds becomes.
struct Substitute {
  int descriptor;
  AcceptSource* source;
};
thread_local std::optional<Substitute> substitute;
/// What the next socket that this thread connects becomes; -1: itself.
thread_local int peer = -1;

/// The sockets that are substitutes: one for each gate, eight at most.
struct Bound {
  std::atomic<int> socket{-1};
  // Stored before socket (release), loaded after it (acquire).
  std::atomic<AcceptSource*> source{nullptr};
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

/// Of the sockets that are connected, only librte_vhost's do not block.
bool is_librte_vhosts(int socket) noexcept {
  return (::fcntl(socket, F_GETFL) & O_NONBLOCK) != 0;
}

int connect_kernel(int socket, const sockaddr* address, socklen_t length) noexcept {
  // Before connect(2): otherwise a message that comes before Connection sets the option would have
  // no sender. Not for the socket of DPDK's telemetry: connect(2) names a socket that has the
  // option, and telemetry wants to bind it afterwards, where a daemon that was killed left its
  // file.
  const int yes = 1;
  if (address->sa_family == AF_UNIX && is_librte_vhosts(socket)) {
    ::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
  }
  const long done = ::syscall(SYS_connect, socket, address, length);
  // librte_vhost would take EISCONN for success, but then the number is that of another socket.
  if (done != 0 && errno == EISCONN) errno = EBADF;
  return static_cast<int>(done);
}

int connect_substitute(int socket) noexcept {
  return ::dup3(std::exchange(peer, -1), socket, O_CLOEXEC) < 0 ? -1 : 0;
}

constexpr int kTelemetryPauseMs = 200;

bool out_of_descriptors() noexcept {
  return errno == EMFILE || errno == ENFILE;
}

}  // namespace

int last_accepted() noexcept {
  return accepted;
}

int last_connected() noexcept {
  return connected;
}

BoundTo::BoundTo(int descriptor, AcceptSource& source) noexcept {
  substitute = Substitute{descriptor, &source};
}
BoundTo::~BoundTo() {
  substitute.reset();
}

ConnectedTo::ConnectedTo(int descriptor) noexcept {
  peer = descriptor;
}
ConnectedTo::~ConnectedTo() {
  peer = -1;
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
  int fd = -1;
  for (;;) {
    fd = source != nullptr ? source->accept()
                           : static_cast<int>(::syscall(SYS_accept, socket, address, length));
    if (source != nullptr || fd >= 0 || !vballoon::vhost::out_of_descriptors()) break;
    // The caller is DPDK's telemetry, whose thread would end on an error.
    ::poll(nullptr, 0, vballoon::vhost::kTelemetryPauseMs);
  }
  vballoon::vhost::accepted = fd;
  return fd;
}

extern "C" int connect(int socket, const sockaddr* address, socklen_t length) {
  // librte_vhost's thread for retries connects instead, once a second.
  if (vballoon::vhost::on_event_thread()) {
    errno = EINPROGRESS;
    return -1;
  }
  const int done = vballoon::vhost::peer >= 0
                       ? vballoon::vhost::connect_substitute(socket)
                       : vballoon::vhost::connect_kernel(socket, address, length);
  if (done == 0) vballoon::vhost::connected = socket;
  return done;
}

extern "C" int socket(int domain, int type, int protocol) noexcept {
  long fd = ::syscall(SYS_socket, domain, type, protocol);
  if (fd < 0 && vballoon::vhost::on_event_thread() && vballoon::vhost::out_of_descriptors()) {
    vballoon::vhost::FdReserve::get().open();
    fd = ::syscall(SYS_socket, domain, type, protocol);
  }
  return static_cast<int>(fd);
}

extern "C" int close(int fd) {
  if (vballoon::vhost::on_event_thread()) vballoon::vhost::message_at_hand().forget(fd);
  vballoon::vhost::drop_exchange(fd);
  if (fd >= 0 && vballoon::vhost::CloseElsewhere::here()) {
    vballoon::vhost::close_elsewhere(fd);
    return 0;
  }
  return static_cast<int>(::syscall(SYS_close, fd));
}
