// SPDX-License-Identifier: BSD-3-Clause
//
// driver/canary.hpp - a pattern that tells a page that was touched from one that was not.
// Pure functions over page bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "driver/guest_ram.hpp"

namespace vballoon::driver {

/// Writes the pattern of (seed, pfn): no two pages alike, no page all zero, every byte covered.
/// @param page  4096 bytes, aligned to 8.
void fill_canary(std::span<std::byte> page, std::uint64_t seed, Pfn pfn) noexcept;
[[nodiscard]] bool holds_canary(std::span<const std::byte> page, std::uint64_t seed,
                                Pfn pfn) noexcept;

void fill_canaries(const GuestRam& ram, std::span<const Pfn> pages, std::uint64_t seed) noexcept;

struct CanaryVerdict {
  std::uint64_t checked = 0;
  std::uint64_t changed = 0;
  Pfn first_changed;  ///< of no meaning while changed is 0
};
[[nodiscard]] CanaryVerdict check_canaries(const GuestRam& ram, std::span<const Pfn> pages,
                                           std::uint64_t seed) noexcept;

}  // namespace vballoon::driver
