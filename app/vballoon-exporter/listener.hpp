// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-exporter/listener.hpp - the TCP port that Prometheus asks.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::exporter {

/// A non-blocking listening socket.
struct Listener {
  UniqueFd fd;
  std::string address;  ///< as "127.0.0.1:10787" or "[::1]:10787"; the port that it has got
};

/// @param where  "HOST:PORT"; an IPv6 address stands in brackets. Port 0: any that is free.
/// @errors kInvalidArgument where that is no address; kAlreadyExists where the port is taken; kHost
///         with the reason.
[[nodiscard]] Result<Listener> listen_on(const std::string& where);

}  // namespace vballoon::exporter
