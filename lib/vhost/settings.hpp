// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/settings.hpp - what the daemon sets of all its devices together.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/units.hpp"
#include "lcore/poller.hpp"
#include "lcore/report.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::vhost {

/// That one daemon serves; one in client mode counts as two (Room).
inline constexpr unsigned kMaxDevices = 1000;

/// A poll lcore and the NUMA node it is on.
struct PollSeat {
  lcore::Poller* poller = nullptr;
  unsigned node = 0;
};

/// What VMMs may claim as their guests' memory, in bytes.
struct ClaimLimits {
  std::uint64_t guest = 16 * 1024 * kGiB;  ///< one guest: more has no page numbers
  std::uint64_t total = 64 * 1024 * kGiB;  ///< all, as address space of this process
};

struct FleetSettings {
  std::vector<PollSeat> pollers;  ///< at least one; they outlive the fleet
  /// Node of each reclaim lcore that the pollers' engine has; empty: poll lcores discard.
  std::vector<unsigned> worker_nodes;
  reclaim::ReclaimLimits limits;  ///< of each device
  ClaimLimits claims{};
  std::optional<gid_t> socket_group;  ///< of sockets of devices that name none; none: our own
  /// Asked what each lcore does; how many devices it serves the fleet counts.
  std::function<std::vector<lcore::LcoreReport>()> lcores;
};

}  // namespace vballoon::vhost
