// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "vhost/libc_calls.hpp"

namespace vballoon::vhost {
namespace {

/// How long the rest of a message may take. Front ends send a message as a whole, so only one that
/// does not, and was interrupted, needs this time.
constexpr timeval kRestOfMessage{.tv_sec = 0, .tv_usec = 4000};
/// How long a process may be silent that got the connection from a process which ended.
constexpr std::chrono::seconds kSilence{3};

}  // namespace

pid_t peer_of(int fd) noexcept {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  const bool told = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
  return told ? credentials.pid : 0;
}

bool leads_here(int fd) noexcept {
  return peer_of(fd) == ::getpid();
}

Connection::Connection(int fd) : fd_(UniqueFd::duplicate(fd)), number_(fd) {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kRestOfMessage, sizeof(kRestOfMessage));
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &kRestOfMessage, sizeof(kRestOfMessage));
  heard_from(peer());
}

Connection Connection::accepted() {
  return Connection(last_accepted());
}

Connection Connection::made() {
  return Connection(last_connected());
}

Connection Connection::taken_up(int number) {
  return Connection(number);
}

pid_t Connection::peer() const noexcept {
  return peer_of(fd_.get());
}

bool Connection::takes_answers() const noexcept {
  pollfd room{fd_.get(), POLLOUT, 0};
  return ::poll(&room, 1, 0) == 1;
}

bool has_hung_up(int socket) noexcept {
  pollfd end{socket, POLLRDHUP, 0};
  return ::poll(&end, 1, 0) == 1;
}

bool Connection::hung_up() const noexcept {
  return !valid() || has_hung_up(fd_.get());
}

void Connection::shut_down() noexcept {
  if (valid()) ::shutdown(fd_.get(), SHUT_RDWR);
}

void Connection::heard_from(pid_t process) noexcept {
  if (process == 0 || process == process_) return;
  const long fd = ::syscall(SYS_pidfd_open, process, 0);
  if (fd < 0 && errno != ESRCH) return;
  process_ = process;
  alive_.reset(static_cast<int>(fd));
  gone_since_.reset();
}

bool Connection::orphaned(Clock::time_point now) noexcept {
  if (process_ == 0) return false;
  pollfd ended{alive_.get(), POLLIN, 0};
  if (alive_.valid() && ::poll(&ended, 1, 0) != 1) return false;
  if (!gone_since_) gone_since_ = now;
  return now - *gone_since_ >= kSilence;
}

}  // namespace vballoon::vhost
