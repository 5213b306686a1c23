// SPDX-License-Identifier: BSD-3-Clause
//
// driver/arena.hpp - the driver's own corner of guest RAM: rings, tables, buffers. Never ballooned.
// Thread: one owner.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/units.hpp"

namespace vballoon::driver {

class Arena {
 public:
  /// @pre  The range is RAM of one region and begins on a page.
  explicit Arena(GpaRange range) noexcept : range_(range) {}

  /// Zero or not, as it lies. @param align  a power of two.
  /// @errors kInvalidArgument when the corner is too small, with the option that makes it larger.
  [[nodiscard]] Result<Gpa> take(std::uint64_t bytes, std::uint64_t align);

  [[nodiscard]] GpaRange range() const noexcept { return range_; }
  [[nodiscard]] bool holds(Pfn pfn) const noexcept {
    return to_gpa(pfn).value - range_.first.value < range_.bytes;
  }

 private:
  GpaRange range_;
  std::uint64_t used_ = 0;
};

}  // namespace vballoon::driver
