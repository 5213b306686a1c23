// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/socket_path.hpp - names and socket paths, checked before librte_vhost sees them.
// Layer:  vhost, its sources only.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace vballoon::vhost {

/// @errors kInvalidArgument: not 1 to 64 of [A-Za-z0-9._-] with a letter or digit first.
Result<void> check_name(std::string_view name);

/// Whether both name one socket, however they are spelled; it need not exist.
[[nodiscard]] bool same_path(const std::string& one, const std::string& other);

/// Makes way for a listening socket: nothing there is fine, a socket nobody listens on is removed.
/// @errors kAlreadyExists when somebody does, or when something else than a socket is there;
///         and those of check_socket_path().
Result<void> clear_socket_path(const std::string& path);

/// What stands at a device's path is removed only where it is what the device is bound to: another
/// daemon, or a person, may have put something else there. librte_vhost asks by unlink(2).
void claim_path(const std::string& path);
/// Of a path that is claimed: the socket that stands there now is ours. @pre It was just bound.
void note_bound(const std::string& path);
/// @pre  Its socket is gone.
void disown_path(const std::string& path);
[[nodiscard]] bool is_claimed(std::string_view path);
/// True of paths that are not claimed: they are their callers' affair.
[[nodiscard]] bool may_unlink(std::string_view path);

}  // namespace vballoon::vhost
