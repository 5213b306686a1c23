// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/page_run.hpp - a run of neighbouring guest pages.
#pragma once

#include <cstdint>

#include "base/units.hpp"

namespace vballoon::reclaim {

/// Guest pages [first, first + pages): guest-physical address / 4096, 64 bits wide.
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t pages = 0;

  [[nodiscard]] constexpr std::uint64_t end() const noexcept { return first + pages; }
  friend constexpr bool operator==(PageRun, PageRun) = default;
};

[[nodiscard]] constexpr std::uint64_t page_of(Gpa gpa) noexcept {
  return bytes_to_pages(gpa.value);
}
[[nodiscard]] constexpr Gpa gpa_of(std::uint64_t page) noexcept {
  return Gpa{pages_to_bytes(page)};
}

}  // namespace vballoon::reclaim
