// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/socket.hpp - the listening UNIX socket: who may connect, and whose file it is.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/socket_file.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::service {

/// Listens, non-blocking; removes its file when it goes. Its mode is 0600, and 0660 for a group.
class RpcSocket {
 public:
  /// Makes the folder of the default path if it is missing, and no other. A stale file, on which
  /// nobody listens, is replaced.
  /// @param group  a group's name, whose members may connect; empty: root and the own user only.
  /// @errors kAlreadyExists when somebody listens there, or when the path is no socket;
  ///         kInvalidArgument for a path or a group that cannot be; kHost with the reason.
  [[nodiscard]] static Result<RpcSocket> listen(const std::string& path, const std::string& group);
  RpcSocket(RpcSocket&& other) noexcept = default;
  RpcSocket& operator=(RpcSocket&&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// Hands the descriptor to somebody who closes it; the file stays ours to remove.
  [[nodiscard]] int release() noexcept { return fd_.release(); }
  [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
  [[nodiscard]] std::optional<gid_t> group() const noexcept { return group_; }

 private:
  RpcSocket(UniqueFd fd, SocketFile file, std::optional<gid_t> group);

  UniqueFd fd_;
  SocketFile file_;
  std::optional<gid_t> group_;
};

/// Whether the peer of a connected socket may call: root, our own user, a member of the group.
/// @errors kUnavailable naming the peer's user.
/// @source  unix(7), SO_PEERCRED and SO_PEERGROUPS
[[nodiscard]] Result<void> check_peer(int fd, std::optional<gid_t> group);

}  // namespace vballoon::service
