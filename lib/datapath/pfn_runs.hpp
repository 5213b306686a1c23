// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/pfn_runs.hpp - page numbers as a driver sends them, cut into runs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::datapath {

/// Numbers that are looked at together: few instructions, for want of a branch between them.
inline constexpr std::uint32_t kPfnStride = 16;

template <int kStep>
[[nodiscard]] inline bool all_in_step(const Pfn* pfns, std::uint32_t first) noexcept {
  std::uint32_t differences = 0;
  for (std::uint32_t i = 0; i < kPfnStride; ++i) {
    differences |= pfns[i].value ^ (first + static_cast<std::uint32_t>(kStep) * i);
  }
  return differences == 0;
}

/// How many numbers, from the first on, go up (kStep 1) or down (kStep -1) by one each. Each is
/// compared with where it would be, not with the one before, so the processor need not wait for one
/// to look at the next. @pre at least one number.
template <int kStep>
[[nodiscard]] inline std::size_t in_step(std::span<const Pfn> pfns) noexcept {
  const std::uint32_t first = pfns.front().value;
  const auto expected = [first](std::size_t i) noexcept {
    return first + static_cast<std::uint32_t>(kStep) * static_cast<std::uint32_t>(i);
  };
  // Where 32 bits end, the run does too.
  const std::uint64_t left =
      kStep > 0 ? (std::uint64_t{1} << 32) - first : std::uint64_t{first} + 1;
  const std::size_t end = std::min<std::uint64_t>(pfns.size(), left);
  if (end < 2 || pfns[1].value != expected(1)) return 1;
  std::size_t count = 2;
  while (count + kPfnStride <= end && all_in_step<kStep>(&pfns[count], expected(count))) {
    count += kPfnStride;
  }
  while (count < end && pfns[count].value == expected(count)) ++count;
  return count;
}

/// Calls visit(PageRun) for the runs that the numbers make, going up or down, in the order they
/// were sent: a driver's pages mostly come in a row.
template <typename Visit>
void for_each_run(std::span<const Pfn> pfns, Visit visit) noexcept {
  while (!pfns.empty()) {
    std::size_t count = in_step<1>(pfns);
    std::uint64_t first = pfns.front().value;
    if (count == 1) {
      count = in_step<-1>(pfns);
      first -= count - 1;
    }
    visit(reclaim::PageRun{first, count});
    pfns = pfns.subspan(count);
  }
}

}  // namespace vballoon::datapath
