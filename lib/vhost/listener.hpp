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

namespace vballoon::vhost {

class Listener {
 public:
  /// Binds and listens. The destructor removes the file, unless another process has put its own
  /// there.
  /// @errors those of clear_socket_path() and provide_socket_folder(); kHost with the reason.
  [[nodiscard]] static Result<Listener> open(const std::string& path, std::optional<gid_t> group);

  /// From now on this group may connect; nothing: the file keeps its group.
  [[nodiscard]] Result<void> share(std::optional<gid_t> group) const;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const SocketFile& file() const noexcept { return file_; }

 private:
  Listener(UniqueFd fd, SocketFile file) noexcept : fd_(std::move(fd)), file_(std::move(file)) {}

  UniqueFd fd_;  // closed last: a file without a listener would be stale
  SocketFile file_;
};

}  // namespace vballoon::vhost
