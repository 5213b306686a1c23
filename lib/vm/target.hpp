// SPDX-License-Identifier: BSD-3-Clause
//
// vm/target.hpp - the balloon size that an operator wants, whatever guest connects.
// Pure values.
#pragma once

#include <cstdint>

#include "base/size_text.hpp"
#include "base/units.hpp"

namespace vballoon::vm {

/// The memory that a target leaves the guest unless the operator insists: the larger of 64 MiB and
/// a twentieth of its memory, but no more than a quarter. With less, Linux does not boot or kills
/// its programs: its page tables and page structures alone take a fiftieth of its memory.
[[nodiscard]] constexpr std::uint64_t left_to_guest(std::uint64_t guest_bytes) noexcept {
  constexpr std::uint64_t kSmallest = 64 * kMiB;
  const std::uint64_t part = guest_bytes / 20;
  const std::uint64_t floor = part > kSmallest ? part : kSmallest;
  return floor < guest_bytes / 4 ? floor : guest_bytes / 4;
}

struct Target {
  SizeOrShare size;
  bool forced = false;  ///< may leave the guest less than left_to_guest()

  /// @return the largest balloon that a guest of this size is asked for.
  [[nodiscard]] std::uint64_t most(std::uint64_t guest_bytes) const noexcept {
    return forced ? guest_bytes : guest_bytes - left_to_guest(guest_bytes);
  }
};

}  // namespace vballoon::vm
