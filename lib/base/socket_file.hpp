// SPDX-License-Identifier: BSD-3-Clause
//
// base/socket_file.hpp - the file of a listening UNIX socket: its owner, and who may connect.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vballoon {

/// While it lives, files that this process makes are its own user's alone, whatever mode they are
/// made with: a socket that bind() makes now waits for share_socket().
class MadePrivate {
 public:
  MadePrivate() noexcept;
  ~MadePrivate();
  MadePrivate(const MadePrivate&) = delete;
  MadePrivate& operator=(const MadePrivate&) = delete;

 private:
  mode_t before_;
};

/// @errors kInvalidArgument when no UNIX address can be made of it: it is empty, too long, or has
///         what printable() escapes or a line feed (a zero would end it early, or begin an abstract
///         name, which has no file and so no mode; the others spoil logs and terminals).
[[nodiscard]] Result<void> check_socket_path(std::string_view path);

/// Where sockets are by default: /run/vballoon for root, else $XDG_RUNTIME_DIR/vballoon, else
/// /tmp/vballoon-UID.
[[nodiscard]] std::string default_socket_folder();

/// The folder that a socket is to be in is there. The default one is made if it is missing, and no
/// other: a folder that nobody made is a path that nobody meant.
/// @errors kHost naming the folder, and what to do.
[[nodiscard]] Result<void> provide_socket_folder(const std::string& path);

/// Who connects besides ourselves.
enum class SharedWith { kGroup, kEverybody };

/// Lets them connect. Only to a socket of our own: a user that may rename in its folder cannot have
/// another file shared.
/// @param group  nothing: it keeps the one that it was made with.
/// @errors kHost with the reason.
[[nodiscard]] Result<void> share_socket(const std::string& path, std::optional<gid_t> group,
                                        SharedWith with = SharedWith::kGroup);

/// A socket's file that we made, removed with this; another's that has taken its path is not.
class SocketFile {
 public:
  SocketFile() noexcept = default;
  /// @pre  It is there: bind() has just made it.
  explicit SocketFile(std::string path);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

  /// It stays when this object goes: its socket is kept for the next process.
  void leave() noexcept { path_.clear(); }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] dev_t device() const noexcept { return device_; }
  [[nodiscard]] ino_t inode() const noexcept { return inode_; }

 private:
  std::string path_;  // empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace vballoon
