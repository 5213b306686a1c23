// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/listener.hpp - the listening socket of a device in server mode. The daemon has it, and not
//                      librte_vhost, whose table has too few entries for a connection and a
//                      listener of each VM.
// Thread: any, one at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/socket_file.hpp"
#include "base/unique_fd.hpp"
#include "vhost/kept_door.hpp"

namespace vballoon::vhost {

class Listener {
 public:
  /// Binds and listens. The destructor removes the file, unless another process has put its own
  /// there.
  /// @errors those of clear_socket_path() and provide_socket_folder(); kHost with the reason.
  [[nodiscard]] static Result<Listener> open(const std::string& path, std::optional<gid_t> group);

  /// Goes on with the socket of an earlier daemon: a VMM that knocked meanwhile is in its queue.
  /// @pre     the file at this path is the one that was made with it.
  /// @errors  kInvalidArgument: it does not listen. kHost with the reason.
  [[nodiscard]] static Result<Listener> adopt(const std::string& path, LeftDoor door,
                                              std::optional<gid_t> group);

  /// From now on this group may connect; nothing: the file keeps its group.
  [[nodiscard]] Result<void> share(std::optional<gid_t> group);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const SocketFile& file() const noexcept { return file_; }
  /// As the next daemon is to know it.
  [[nodiscard]] Door door() const noexcept {
    return {fd_.get(), {file_.device(), file_.inode(), group_}};
  }
  /// The socket is the next daemon's: its file stays.
  void hand_on() noexcept { file_.leave(); }

 private:
  Listener(UniqueFd fd, SocketFile file, std::optional<gid_t> group) noexcept
      : fd_(std::move(fd)), file_(std::move(file)), group_(group) {}

  UniqueFd fd_;  // closed last: a file without a listener would be stale
  SocketFile file_;
  std::optional<gid_t> group_;  // as share() was told last
};

}  // namespace vballoon::vhost
