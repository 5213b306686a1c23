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

/// A non-blocking listening socket. The destructor removes its file. The file's mode is 0600, or
/// 0660 for a group.
class RpcSocket {
 public:
  /// Makes the folder of the default path if it is missing, but no other folder. Replaces a stale
  /// socket file, on which no process listens.
  /// @param group  the group whose members may connect; empty: root and the daemon's user only.
  /// @errors kAlreadyExists when a process listens there, or when the path is no socket;
  ///         kInvalidArgument for an invalid path or an unknown group; kHost with the reason.
  [[nodiscard]] static Result<RpcSocket> listen(const std::string& path, const std::string& group);
  RpcSocket(RpcSocket&& other) noexcept = default;
  RpcSocket& operator=(RpcSocket&&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// Gives the descriptor to the caller, who closes it. This object still removes the file.
  [[nodiscard]] int release() noexcept { return fd_.release(); }
  [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
  [[nodiscard]] std::optional<gid_t> group() const noexcept { return group_; }

 private:
  RpcSocket(UniqueFd fd, SocketFile file, std::optional<gid_t> group);

  UniqueFd fd_;
  SocketFile file_;
  std::optional<gid_t> group_;
};

/// Checks that the peer of a connected socket may call: root, the daemon's user, or a member of the
/// group.
/// @errors kUnavailable naming the peer's user.
/// @source  unix(7), SO_PEERCRED and SO_PEERGROUPS
[[nodiscard]] Result<void> check_peer(int fd, std::optional<gid_t> group);

}  // namespace vballoon::service
