// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/requests.hpp - what device 13 asks of its driver, and what the driver says of itself.
// Outlives the queues.
// Thread: as each member says.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/counter.hpp"
#include "base/snapshot.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::datapath {

/// The newest STATE of a driver: its claims (DEV-20).
struct StateRecord {
  wire::large::State state;
  wire::large::Reason reason = wire::large::Reason::kReached;
  std::uint32_t serial = 0;    ///< of the target that it is about
  std::uint64_t sequence = 0;  ///< 0: none came yet
  std::uint64_t taken_ms = 0;  ///< steady clock
};

struct Requests {
  /// Raised by any thread: the driver is to be told its target, whether it changed or not.
  std::atomic<std::uint64_t> targets{0};
  /// What finding pages may cost the guest; set by the control thread.
  std::atomic<std::uint16_t> effort{static_cast<std::uint16_t>(wire::large::Effort::kReclaim)};

  // Of the data path's owner; the counters are read by anyone.
  std::uint64_t told = 0;  ///< of `targets`, those that the driver was told
  Counter serial;          ///< of the newest RESIZE
  Snapshot<StateRecord> state;
};

}  // namespace vballoon::datapath
