// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/limits.hpp - what an operator may say about one device's reclaim.
#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "reclaim/page_shifts.hpp"
#include "reclaim/window.hpp"

namespace vballoon::reclaim {

class HugeReserve;

struct ReclaimLimits {
  WindowAges ages{};
  /// Pages that may wait in the window; the oldest go when there are more.
  std::uint64_t window_pages = std::uint64_t{1} << 20;
  /// Where set, no huge page is discarded that its pool could not give back. Outlives the device.
  HugeReserve* reserve = nullptr;
  /// The device's own, and no operator's: what its driver may name.
  PageShifts sizes{};

  /// Of the longest wait, long runs wait a tenth.
  [[nodiscard]] static ReclaimLimits of(std::uint64_t window_bytes, std::uint64_t age_ms) noexcept {
    const auto longest_us = static_cast<std::uint32_t>(age_ms * 1000);
    return {.ages = {longest_us, longest_us / 10}, .window_pages = bytes_to_pages(window_bytes)};
  }
};

}  // namespace vballoon::reclaim
