// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/socket.hpp - the listening UNIX socket: its file, and the users that may connect.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/socket_file.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::service {

/// What a caller may do.
enum class Rights { kAsk, kChange };

/// The groups whose members may call, besides root and the daemon's user.
template <typename Group>
struct RpcGroups {
  Group callers;    ///< [daemon] rpc_group: they may do all
  Group observers;  ///< [daemon] rpc_observers: they may ask
};

using RpcGids = RpcGroups<std::optional<gid_t>>;

/// A non-blocking listening socket. The destructor removes its file. The file's mode is 0600, or
/// 0660 for one group. A file has one group, so for two it is 0666, and check_peer() alone decides.
class RpcSocket {
 public:
  /// Makes the folder of the default path if it is missing, but no other folder. Replaces a stale
  /// socket file, on which no process listens.
  /// @param groups  by name or number; empty: nobody.
  /// @errors kAlreadyExists when a process listens there, or when the path is no socket;
  ///         kInvalidArgument for an invalid path or an unknown group; kHost with the reason.
  [[nodiscard]] static Result<RpcSocket> listen(const std::string& path,
                                                const RpcGroups<std::string>& groups);
  RpcSocket(RpcSocket&& other) noexcept = default;
  RpcSocket& operator=(RpcSocket&&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// Gives the descriptor to the caller, who closes it. This object still removes the file.
  [[nodiscard]] int release() noexcept { return fd_.release(); }
  [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
  [[nodiscard]] const RpcGids& groups() const noexcept { return groups_; }

 private:
  RpcSocket(UniqueFd fd, SocketFile file, const RpcGids& groups);

  UniqueFd fd_;
  SocketFile file_;
  RpcGids groups_;
};

/// What the peer of a connected socket may do.
/// @errors kUnavailable naming the peer's user: neither root nor the daemon's, nor in a group.
/// @source  unix(7), SO_PEERCRED and SO_PEERGROUPS
[[nodiscard]] Result<Rights> check_peer(int fd, const RpcGids& groups);

}  // namespace vballoon::service
