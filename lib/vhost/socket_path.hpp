// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/socket_path.hpp - socket paths, checked before librte_vhost sees them.
#pragma once

#include <string>

#include "base/result.hpp"

namespace vballoon::vhost {

/// Makes a path free for a listening socket: removes a socket on which no process listens.
/// @errors kAlreadyExists when a process listens there, or when the path is no socket; those of
///         check_socket_path().
Result<void> clear_socket_path(const std::string& path);

}  // namespace vballoon::vhost
