// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/device_context.hpp - what the queues of one device share, and how much of a pass each
//                               may have.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "datapath/config_space.hpp"
#include "datapath/counters.hpp"
#include "reclaim/leaving.hpp"
#include "reclaim/reclaimer.hpp"
#include "wire/large_balloon.hpp"
#include "wire/queue_map.hpp"

namespace vballoon::datapath {

/// Outlives the queues.
struct DeviceContext {
  reclaim::Reclaimer& reclaimer;
  DeviceCounters& counters;
  const datapath::ConfigSpace& config;
  const std::atomic<bool>& reporting;  ///< the operator wants reported pages discarded
  reclaim::Leaving& leaving;           ///< of device 13
  bool page_poison = false;  ///< PAGE_POISON was acknowledged, so the config's poison value counts
  /// MUST_TELL_HOST was acknowledged: no page is used again before its deflate buffer is.
  bool tells_host = false;
  std::uint64_t acked = 0;   ///< all features that were acknowledged
  std::uint64_t now_us = 0;  ///< steady clock, as of this pass

  /// Of the rings that run: where each lies in guest memory; of a ring that does not, no bytes.
  /// Used by device 13 only.
  std::array<GpaRange, 3 * wire::queues_of(wire::Dialect::kLarge)> rings{};

  /// Whether a feature of device 13 was acknowledged.
  [[nodiscard]] bool has(wire::large::Feature feature) const noexcept {
    return (acked & wire::large::bit(feature)) != 0;
  }
  [[nodiscard]] bool in_a_ring(GpaRange range) const noexcept {
    return std::any_of(rings.begin(), rings.end(), [range](const GpaRange& ring) {
      return ring.first.value < range.first.value + range.bytes &&
             range.first.value < ring.first.value + ring.bytes;
    });
  }

  /// A guest that poisons its free pages expects the pattern back, not zeroes (5.5.6.7.1).
  [[nodiscard]] bool keeps_reports() const noexcept {
    return !reporting.load(std::memory_order_relaxed) ||
           (page_poison && config.poison_value() != 0);
  }
};

/// Bounds of one queue's share of a pass, so that no guest's chain holds up another's.
inline constexpr std::size_t kPagesPerPass = 1024;               // page numbers
inline constexpr std::uint64_t kReportBytesPerPass = 32 * kMiB;  // reported memory
inline constexpr unsigned kBuffersPerPass = 64;                  // where buffers are small
inline constexpr std::uint32_t kHopsPerPass = 1024;              // descriptors, full or empty

}  // namespace vballoon::datapath
