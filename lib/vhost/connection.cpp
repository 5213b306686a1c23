// SPDX-License-Identifier: BSD-3-Clause
#include "connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "libc_calls.hpp"

namespace vballoon::vhost {
namespace {

namespace fs = std::filesystem;

/// Front ends send a message as a whole, so this is for one that does not and was interrupted.
constexpr timeval kRestOfMessage{.tv_sec = 0, .tv_usec = 4000};

/// A connection to who listens there.
bool leads_to(int fd, const std::string& path) noexcept {
  sockaddr_un address{};
  socklen_t length = sizeof(address);
  if (::getpeername(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), &length) != 0) {
    return false;
  }
  if (address.sun_family != AF_UNIX || length <= offsetof(sockaddr_un, sun_path)) return false;
  const std::string_view peer(address.sun_path, length - offsetof(sockaddr_un, sun_path));
  return peer.substr(0, peer.find('\0')) == path;
}

}  // namespace

Connection::Connection(int fd) : fd_(UniqueFd::duplicate(fd)) {
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kRestOfMessage, sizeof(kRestOfMessage));
}

Connection Connection::accepted() {
  return Connection(last_accepted());
}

Connection Connection::made_to(const std::string& path) {
  std::error_code ignored;
  // Rare: librte_vhost tries once a second.
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", ignored)) {
    const std::string name = entry.path().filename();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (leads_to(fd, path)) return Connection(fd);
  }
  return {};
}

pid_t Connection::peer() const noexcept {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  const bool told = ::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
  return told ? credentials.pid : 0;
}

bool Connection::takes_answers() const noexcept {
  pollfd room{fd_.get(), POLLOUT, 0};
  return !valid() || ::poll(&room, 1, 0) == 1;
}

void Connection::end() const noexcept {
  ::shutdown(fd_.get(), SHUT_RDWR);
}

bool Connection::hung_up() const noexcept {
  std::byte next{};
  return !valid() || ::recv(fd_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace vballoon::vhost
