// SPDX-License-Identifier: BSD-3-Clause
#include "connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace vballoon::vhost {
namespace {

namespace fs = std::filesystem;

/// Front ends send a message as a whole, so this is for one that does not and was interrupted.
constexpr timeval kRestOfMessage{.tv_sec = 0, .tv_usec = 4000};

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::string_view path_of(NameOf name_of, int fd, sockaddr_un& address) noexcept {
  socklen_t length = sizeof(address);
  address.sun_family = AF_UNSPEC;
  if (name_of(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), &length) != 0) return {};
  if (address.sun_family != AF_UNIX || length <= offsetof(sockaddr_un, sun_path)) return {};
  const std::string_view path(address.sun_path, length - offsetof(sockaddr_un, sun_path));
  return path.substr(0, path.find('\0'));
}

/// A connection there, whichever end is ours; not the socket that listens.
bool leads_to(int fd, const std::string& path) noexcept {
  int listens = 0;
  socklen_t length = sizeof(listens);
  sockaddr_un address{};
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens != 0) {
    return false;
  }
  return path_of(::getsockname, fd, address) == path || path_of(::getpeername, fd, address) == path;
}

std::uint64_t inode_of(int fd) noexcept {
  struct stat file {};
  return ::fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) ? file.st_ino : 0;
}

}  // namespace

Connection Connection::find(const std::string& path, const Connection& known) {
  Connection found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", ignored)) {
    const std::string name = entry.path().filename();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (!leads_to(fd, path)) continue;
    const std::uint64_t inode = inode_of(fd);
    if (inode == 0 || inode == known.inode_) continue;
    found.fd_ = UniqueFd::duplicate(fd);
    found.inode_ = inode;
    break;
  }
  if (found.valid()) {
    ::setsockopt(found.fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kRestOfMessage, sizeof(kRestOfMessage));
  }
  return found;
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

bool Connection::hung_up() const noexcept {
  std::byte next{};
  return !valid() || ::recv(fd_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace vballoon::vhost
