// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/listener.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "vhost/socket_path.hpp"

namespace vballoon::vhost {
namespace {

/// So many VMMs may wait at one socket to be accepted.
constexpr int kBacklog = 128;

bool listens(int fd) noexcept {
  int on = 0;
  socklen_t bytes = sizeof(on);
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &bytes) != 0 || on == 0) return false;
  int domain = 0;
  bytes = sizeof(domain);
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_UNIX;
}

tl::unexpected<Status> failed(const std::string& path, const char* what) {
  return fail(Code::kHost, fmt::format("socket {}: {}: {}", path, what, std::strerror(errno)));
}

}  // namespace

Result<Listener> Listener::open(const std::string& path, std::optional<gid_t> group) {
  if (auto ok = clear_socket_path(path); !ok) return tl::unexpected(ok.error());
  if (auto ok = provide_socket_folder(path); !ok) return tl::unexpected(ok.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed(path, "no socket can be made");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const MadePrivate until_shared;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return failed(path, "cannot be made");
  }
  SocketFile file(path);
  if (auto shared = share_socket(path, group); !shared) return tl::unexpected(shared.error());
  // Each connection inherits the option, so that the first message of a VMM has its sender, too.
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
  if (::listen(fd.get(), kBacklog) != 0) return failed(path, "cannot listen");
  return Listener(std::move(fd), std::move(file), group);
}

/// A listener's credentials are those of whoever called listen(2) last, and leads_here() knows this
/// process's.
Result<Listener> Listener::adopt(const std::string& path, LeftDoor door,
                                 std::optional<gid_t> group) {
  if (!listens(door.socket.get())) {
    return fail(Code::kInvalidArgument, fmt::format("socket {}: what is kept of it is none", path));
  }
  Listener listener(std::move(door.socket), SocketFile(path), door.is.group);
  if (::listen(listener.fd(), kBacklog) != 0) return failed(path, "cannot listen");
  if (group == door.is.group) return listener;
  if (auto ok = listener.share(group.value_or(::getegid())); !ok) return tl::unexpected(ok.error());
  listener.group_ = group;
  return listener;
}

Result<void> Listener::share(std::optional<gid_t> group) {
  auto shared = share_socket(file_.path(), group);
  if (shared) group_ = group;
  return shared;
}

}  // namespace vballoon::vhost
