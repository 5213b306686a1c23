// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/socket_path.hpp - socket paths, checked before librte_vhost sees them.
#pragma once

#include <string>

#include "base/result.hpp"

namespace vballoon::vhost {

/// Makes way for a listening socket: nothing there is fine, a socket nobody listens on is removed.
/// @errors kAlreadyExists when somebody does, or when something else than a socket is there;
///         and those of check_socket_path().
Result<void> clear_socket_path(const std::string& path);

}  // namespace vballoon::vhost
