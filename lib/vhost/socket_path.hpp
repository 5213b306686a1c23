// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/socket_path.hpp - names and socket paths, checked before librte_vhost sees them.
// Layer:  vhost, its sources only.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "vhost/device_name.hpp"

namespace vballoon::vhost {

/// Makes way for a listening socket: nothing there is fine, a socket nobody listens on is removed.
/// @errors kAlreadyExists when somebody does, or when something else than a socket is there;
///         and those of check_socket_path().
Result<void> clear_socket_path(const std::string& path);

}  // namespace vballoon::vhost
