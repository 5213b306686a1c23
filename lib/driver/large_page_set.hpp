// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_page_set.hpp - pages of several sizes that are in the balloon, as the driver has it.
// Thread: one owner.
// Source: docs/device-13.md: DEV-9 and DEV-10, DRV-13.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/units.hpp"

namespace vballoon::driver {

/// A page of 2^shift bytes.
struct LargePage {
  Gpa at;
  unsigned shift = kPageShift;

  [[nodiscard]] std::uint64_t bytes() const noexcept { return std::uint64_t{1} << shift; }
  friend constexpr auto operator<=>(LargePage, LargePage) = default;
};

/// A plain set on purpose: what a device hands back is held against it.
class LargePageSet {
 public:
  void add(LargePage page);
  void add(std::span<const Gpa> pages, unsigned shift);
  /// @return whether the very page was in it, with the same size; then it is no more.
  [[nodiscard]] bool take(LargePage page);
  void clear() noexcept;

  [[nodiscard]] bool holds(LargePage page) const;
  [[nodiscard]] std::size_t size() const noexcept { return shifts_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Ascending.
  [[nodiscard]] std::vector<LargePage> pages() const;
  /// Ascending: those of one size.
  [[nodiscard]] std::vector<Gpa> pages(unsigned shift) const;
  /// How many there are of this size.
  [[nodiscard]] std::size_t count(unsigned shift) const;

 private:
  std::unordered_map<std::uint64_t, unsigned> shifts_;  // by address
  std::unordered_map<unsigned, std::size_t> counts_;    // by shift
  std::uint64_t bytes_ = 0;
};

/// The pages of 4 KiB that a page is made of.
[[nodiscard]] std::vector<Pfn> small_pages(std::span<const LargePage> pages);

}  // namespace vballoon::driver
