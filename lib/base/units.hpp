// SPDX-License-Identifier: BSD-3-Clause
//
// base/units.hpp - the addresses and sizes that must never be mixed up.
// Source: VIRTIO 1.2, 5.5.6: a PFN counts 4096-byte pages, whatever the guest's own page size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vballoon {

inline constexpr unsigned kPageShift = 12;
inline constexpr std::uint64_t kPageSize = std::uint64_t{1} << kPageShift;
inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// @return a - b, but not below 0.
[[nodiscard]] constexpr std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept {
  return a > b ? a - b : 0;
}

/// Guest-physical address, in bytes.
struct Gpa {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Gpa, Gpa) = default;
};

/// Balloon page number: guest-physical address / 4096. The wire carries 32 bits, 16 TiB.
struct Pfn {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(Pfn, Pfn) = default;
};

[[nodiscard]] constexpr Gpa to_gpa(Pfn pfn) noexcept {
  return Gpa{std::uint64_t{pfn.value} << kPageShift};
}

[[nodiscard]] constexpr std::uint64_t pages_to_bytes(std::uint64_t pages) noexcept {
  return pages << kPageShift;
}

/// Rounds down: a partial page is not a page.
[[nodiscard]] constexpr std::uint64_t bytes_to_pages(std::uint64_t bytes) noexcept {
  return bytes >> kPageShift;
}

/// A range of guest-physical memory, half open: [first, first + bytes).
struct GpaRange {
  Gpa first;
  std::uint64_t bytes = 0;
  friend constexpr bool operator==(GpaRange, GpaRange) = default;
};

}  // namespace vballoon
