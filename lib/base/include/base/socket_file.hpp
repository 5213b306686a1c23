// SPDX-License-Identifier: BSD-3-Clause
//
// base/socket_file.hpp - the file of a listening UNIX socket: whose it is, who may connect.
// Layer:  base.
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

/// Lets the group connect, besides ourselves. Only to a socket of our own: whoever may rename in
/// its folder cannot have us do it to another file.
/// @param group  nothing: it keeps the one that it was made with.
/// @errors kHost with the reason.
[[nodiscard]] Result<void> share_socket(const std::string& path, std::optional<gid_t> group);

}  // namespace vballoon
