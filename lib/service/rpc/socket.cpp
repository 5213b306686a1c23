// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/group.hpp"
#include "base/socket_file.hpp"

namespace vballoon::service {
namespace {

constexpr int kBacklog = 64;

tl::unexpected<Status> failed(const std::string& path, std::string_view what, int reason) {
  return fail(Code::kHost, fmt::format("rpc socket {}: {}: {}", path, what, std::strerror(reason)));
}

Result<sockaddr_un> make_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (auto ok = check_socket_path(path); !ok) return tl::unexpected(ok.error());
  path.copy(address.sun_path, path.size());
  return address;
}

/// @return true when a process accepts connections on the path, or when that cannot be determined.
bool is_alive(const sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return true;
  const int done =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  // A full backlog shows that a process listens, too.
  return done == 0 || errno == EAGAIN || errno == EACCES;
}

Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? Result<void>() : failed(path, "lstat", errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(Code::kAlreadyExists,
                fmt::format("rpc socket {}: the path exists and is no socket; remove it, or choose "
                            "another with --rpc",
                            path));
  }
  if (is_alive(address)) {
    return fail(Code::kAlreadyExists,
                fmt::format("rpc socket {}: somebody listens there already, probably another "
                            "vballoond; stop it, or choose another socket with --rpc",
                            path));
  }
  if (::unlink(path.c_str()) != 0) return failed(path, "the stale file cannot be removed", errno);
  return {};
}

/// Without a group the file's mode lets only its user connect: check_peer() would refuse others.
Result<void> share(const std::string& path, const RpcGids& groups) {
  const auto group = groups.callers ? groups.callers : groups.observers;
  if (!group) return {};
  const bool both = groups.callers && groups.observers;
  return share_socket(path, group, both ? SharedWith::kEverybody : SharedWith::kGroup);
}

Result<SocketFile> open_to_peers(int fd, const std::string& path, const sockaddr_un& address,
                                 const RpcGids& groups) {
  const MadePrivate until_shared;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return failed(path, "bind", errno);
  }
  SocketFile file(path);
  if (auto shared = share(path, groups); !shared) return tl::unexpected(shared.error());
  if (::listen(fd, kBacklog) != 0) return failed(path, "listen", errno);
  return file;
}

std::vector<gid_t> peer_groups(int fd, gid_t primary) {
  std::vector<gid_t> groups(256);
  for (;;) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int done = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
    if (done != 0 && errno != ERANGE) return {primary};
    groups.resize(bytes / sizeof(gid_t));
    if (done == 0) break;
  }
  groups.push_back(primary);
  return groups;
}

}  // namespace

Result<RpcSocket> RpcSocket::listen(const std::string& path, const RpcGroups<std::string>& groups) {
  const auto address = make_address(path);
  if (!address) return tl::unexpected(address.error());
  const auto callers = find_group(groups.callers, "daemon.rpc_group");
  if (!callers) return tl::unexpected(callers.error());
  const auto observers = find_group(groups.observers, "daemon.rpc_observers");
  if (!observers) return tl::unexpected(observers.error());
  const RpcGids gids{*callers, *observers};
  if (auto made = provide_socket_folder(path); !made) return tl::unexpected(made.error());
  if (auto free = remove_stale(path, *address); !free) return tl::unexpected(free.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed(path, "socket", errno);
  auto file = open_to_peers(fd.get(), path, *address, gids);
  if (!file) return tl::unexpected(file.error());
  return RpcSocket(std::move(fd), *std::move(file), gids);
}

RpcSocket::RpcSocket(UniqueFd fd, SocketFile file, const RpcGids& groups)
    : fd_(std::move(fd)), file_(std::move(file)), groups_(groups) {}

Result<Rights> check_peer(int fd, const RpcGids& groups) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return fail(Code::kHost, fmt::format("peer credentials: {}", std::strerror(errno)));
  }
  if (peer.uid == 0 || peer.uid == ::geteuid()) return Rights::kChange;
  if (groups.callers || groups.observers) {
    const auto its = peer_groups(fd, peer.gid);
    const auto in = [&its](std::optional<gid_t> group) {
      return group && std::find(its.begin(), its.end(), *group) != its.end();
    };
    if (in(groups.callers)) return Rights::kChange;
    if (in(groups.observers)) return Rights::kAsk;
  }
  return fail(
      Code::kUnavailable,
      fmt::format("user {} may not call this daemon; be root, its own user ({}) or a member "
                  "of its rpc_group or rpc_observers",
                  peer.uid, ::geteuid()));
}

}  // namespace vballoon::service
