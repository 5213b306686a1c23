// SPDX-License-Identifier: BSD-3-Clause
//
// support/order.hpp - in which order a guest's pages come, and what does without an engine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "driver/page_pool.hpp"
#include "support/memory_file.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {

inline constexpr driver::PageOrder kAscending{driver::PageOrder::Kind::kAscending, 1};
inline constexpr driver::PageOrder kDescending{driver::PageOrder::Kind::kDescending, 1};
inline constexpr driver::PageOrder kRuns16{driver::PageOrder::Kind::kRuns, 16};
inline constexpr driver::PageOrder kRandom{driver::PageOrder::Kind::kRandom, 1};

/// Every page of the file once.
[[nodiscard]] std::vector<Pfn> pages_in(driver::PageOrder order, const MemoryFile& ram);

/// Every page of the file once, in shuffled runs of 2 to 32 that ascend in themselves: a guest
/// whose free memory is in pieces, each of which its allocator hands out in order.
[[nodiscard]] std::vector<Pfn> fragmented_pages(const MemoryFile& ram);

// --- The baselines and the limit: nothing but the system calls. ---

/// A hole a page, as QEMU and others make them.
void punch_by_page(const MemoryFile& ram, std::span<const Pfn> pfns);
/// Each buffer on its own: sorted, merged, a hole a run. The best that is possible without a
/// window.
void punch_by_buffer(const MemoryFile& ram, std::span<const Pfn> pfns);
/// The limit: one hole.
void punch_all(const MemoryFile& ram);

}  // namespace vballoon::perf
