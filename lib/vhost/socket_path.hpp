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

/// Makes way for a listening socket: nothing there is fine, a socket nobody listens on is removed.
/// @errors kAlreadyExists when somebody does, or when something else than a socket is there;
///         and those of check_socket_path().
Result<void> clear_socket_path(const std::string& path);

}  // namespace vballoon::vhost
