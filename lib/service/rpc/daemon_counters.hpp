// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/daemon_counters.hpp - how often clients and the operator asked something of it.
// Thread: the control thread.
#pragma once

#include <cstdint>

namespace vballoon::service {

/// What the daemon itself did since its start.
struct DaemonCounters {
  std::uint64_t rpc_requests = 0;
  std::uint64_t rpc_errors = 0;       ///< of these, answered with an error
  std::uint64_t rpc_turned_away = 0;  ///< clients: no right to call, or no place left
  std::uint64_t reloads = 0;
  std::uint64_t failed_reloads = 0;
};

}  // namespace vballoon::service
