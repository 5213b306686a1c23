// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/settings.hpp - the settings of all devices together.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/units.hpp"
#include "keep/store.hpp"
#include "lcore/poller.hpp"
#include "lcore/report.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::vhost {

/// The most devices that one daemon serves. A device in client mode counts as two (Room).
inline constexpr unsigned kMaxDevices = 1000;

/// A poll lcore, and the NUMA node of its cpu.
struct PollSeat {
  lcore::Poller* poller = nullptr;
  unsigned node = 0;
};

/// How much guest memory VMMs may claim, in bytes.
struct ClaimLimits {
  std::uint64_t guest = 16 * 1024 * kGiB;  ///< one guest; no page number reaches beyond this
  std::uint64_t total = 64 * 1024 * kGiB;  ///< all guests, as address space of this process
};

struct FleetSettings {
  std::vector<PollSeat> pollers;  ///< at least one; they outlive the fleet
  /// The node of each reclaim lcore of the pollers' engine; empty: poll lcores discard.
  std::vector<unsigned> worker_nodes;
  reclaim::ReclaimLimits limits;  ///< for each device
  ClaimLimits claims{};
  /// Keeps connections for the next daemon; it outlives the fleet. Null: nobody does.
  const keep::Store* store = nullptr;
  /// The last sign of life of the daemon before, by keep::boot_ms(); nothing: not known.
  std::optional<std::uint64_t> last_sign_ms = {};
  std::optional<gid_t> socket_group;  ///< for devices that name no group; nothing: the daemon's own
  /// @return the figures of each lcore. The fleet adds the number of devices.
  std::function<std::vector<lcore::LcoreReport>()> lcores;
};

}  // namespace vballoon::vhost
