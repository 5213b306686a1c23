// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/socket_path.hpp - where the daemon listens unless a path is named.
#pragma once

#include <string>

namespace vballoon::rpc {

/// $VBALLOON_RPC; else, for root, /run/vballoon/rpc.sock; else $XDG_RUNTIME_DIR/vballoon/rpc.sock;
/// else /tmp/vballoon-UID/rpc.sock.
[[nodiscard]] std::string default_socket_path();

/// The same for a client, which also finds the system's daemon: where the default path does not
/// exist but /run/vballoon/rpc.sock does, that one.
[[nodiscard]] std::string default_client_path();

}  // namespace vballoon::rpc
