// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/device_context.hpp - what the queues of one device share, and how much of a pass each
//                               may have.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "datapath/config_space.hpp"
#include "datapath/counters.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::datapath {

/// Outlives the queues.
struct DeviceContext {
  reclaim::Reclaimer& reclaimer;
  DeviceCounters& counters;
  const datapath::ConfigSpace& config;
  const std::atomic<bool>& reporting;  ///< the operator wants reported pages discarded
  bool page_poison = false;  ///< PAGE_POISON was acknowledged, so the config's poison value counts
  /// MUST_TELL_HOST was acknowledged: no page is used again before its deflate buffer is.
  bool tells_host = false;
  std::uint64_t now_us = 0;  ///< steady clock, as of this pass

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
