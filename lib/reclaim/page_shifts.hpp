// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/page_shifts.hpp - the sizes of pages that a driver may name.
// Pure values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/units.hpp"

namespace vballoon::reclaim {

/// Binary logarithms of sizes in bytes, ascending. None: all pages are of 4 KiB, and come back by
/// their numbers (the stock device).
struct PageShifts {
  static constexpr std::size_t kMost = 3;
  std::array<std::uint8_t, kMost> shifts{};
  std::uint8_t count = 0;

  /// Which of them it is.
  [[nodiscard]] constexpr std::optional<unsigned> find(unsigned shift) const noexcept {
    for (unsigned kind = 0; kind < count; ++kind) {
      if (shifts[kind] == shift) return kind;
    }
    return std::nullopt;
  }
  /// Pages of 4 KiB that one of this kind has.
  [[nodiscard]] constexpr std::uint64_t pages(unsigned kind) const noexcept {
    return std::uint64_t{1} << (shifts[kind] - kPageShift);
  }
};

}  // namespace vballoon::reclaim
