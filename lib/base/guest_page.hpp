// SPDX-License-Identifier: BSD-3-Clause
//
// base/guest_page.hpp - a balloon counts pages of 4 KiB, and a guest gives whole pages of its own.
// Pure; of the daemon and of its client, so that both say "reached" of the same.
// Source: Linux, towards_target() in drivers/virtio/virtio_balloon.c: the target is rounded up to a
//         page of the guest, and `actual` is then above it.
#pragma once

#include <cstdint>

#include "base/units.hpp"

namespace vballoon {

/// Linux has no larger ones (arm64, ppc64). No driver says how large its guest's are.
inline constexpr std::uint64_t kLargestGuestPage = 64 * kKiB;

/// Whether a balloon is as large as it was asked to be, or as near to it as its guest comes.
[[nodiscard]] constexpr bool at_target(std::uint64_t actual, std::uint64_t target) noexcept {
  return (actual > target ? actual - target : target - actual) < kLargestGuestPage;
}

/// The largest size up to `bytes` that a guest of any page size reaches to the byte.
/// @param unit  of its device, a power of two
[[nodiscard]] constexpr std::uint64_t whole_guest_pages(std::uint64_t bytes,
                                                        std::uint64_t unit = kPageSize) noexcept {
  return bytes - bytes % (unit > kLargestGuestPage ? unit : kLargestGuestPage);
}

}  // namespace vballoon
