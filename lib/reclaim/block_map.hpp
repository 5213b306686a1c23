// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/block_map.hpp - guest memory in blocks: what is best freed with one call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "gmem/guest_memory.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

/// As long as one call should take: 0.1 to 0.2 ms. The host's own page where that is larger. Blocks
/// are counted from the start of the file, as the kernel does.
inline constexpr std::uint64_t kBlockBytes = 2 * kMiB;
/// Where there may be transparent huge pages. One takes 5 to 10 us, of which the call is a quarter,
/// so this many take 30; 0.4 ms where the memory turns out to be of small pages after all.
inline constexpr std::uint64_t kThpBlockBytes = 8 * kMiB;

/// Some pages of one block, as the bitmaps and tables know them.
struct Part {
  std::uint64_t index = 0;  ///< of the first page: 4 KiB pages of guest memory below it
  std::uint64_t pages = 0;
  std::uint32_t block = 0;
  bool huge = false;         ///< the block is one host page: freed whole or not at all
  bool can_discard = false;  ///< its file takes holes, and nobody else has it
};

/// All of a block that is guest memory.
struct Block {
  const gmem::Region* region = nullptr;
  PageRun run;
  Part part;
};

class BlockMap {
 public:
  explicit BlockMap(std::shared_ptr<const gmem::GuestMemory> memory);

  [[nodiscard]] Block operator[](std::uint32_t id) const noexcept;
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// How many of its pages a block must have in the balloon to be complete. Out of reach for a huge
  /// page that is not all the guest's. Computed: a VMM may claim millions of blocks.
  [[nodiscard]] std::uint32_t complete_at(std::uint32_t id) const noexcept {
    const Extent& extent = extent_of(id);
    const std::uint64_t block_pages = std::uint64_t{1} << extent.shift;
    const std::uint64_t start = std::uint64_t{id - extent.first_block} << extent.shift;
    const std::uint64_t pages =
        std::min(start + block_pages, extent.lead + extent.pages) - std::max(start, extent.lead);
    return extent.huge && pages != block_pages ? UINT32_MAX : static_cast<std::uint32_t>(pages);
  }

  /// Besides those whose files take no holes, these regions are not discarded: a bit each.
  void keep_regions(std::uint32_t mask) noexcept {
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      const bool kept = i < 32 && ((mask >> i) & 1) != 0;
      extents_[i].can_discard = memory_->regions()[i].backing.can_discard && !kept;
    }
  }

  /// The block that holds the page of this index. @pre There is one.
  [[nodiscard]] std::uint32_t block_at(std::uint64_t index) const noexcept {
    const Extent* extent = &extents_.back();
    while (extent->index > index) --extent;
    return cut(*extent, extent->first + (index - extent->index), 1).block;
  }

  [[nodiscard]] const gmem::GuestMemory& memory() const noexcept { return *memory_; }

  /// As much of a run as lies in its first page's block; no pages where that is not memory.
  [[nodiscard]] Part first_part(PageRun run) const noexcept {
    const Extent* extent = find(run.first);
    return extent != nullptr ? cut(*extent, run.first, run.pages) : Part{};
  }

  /// Calls visit(part) for each block that a run touches, in order, while the run is memory.
  /// @return the pages from its start that are memory.
  template <typename Visit>
  std::uint64_t for_each_part(PageRun run, Visit visit) const noexcept {
    std::uint64_t done = 0;
    while (done < run.pages) {
      const Extent* extent = find(run.first + done);
      if (extent == nullptr) break;
      const Part part = cut(*extent, run.first + done, run.pages - done);
      visit(part);
      done += part.pages;
    }
    return done;
  }

  /// Calls visit(part, its first page) for whatever of a run is memory, in order.
  /// @return the pages that are not.
  template <typename Visit>
  std::uint64_t for_each_known_part(PageRun run, Visit visit) const noexcept {
    std::uint64_t outside = 0;
    for (std::uint64_t done = 0; run.pages != 0;
         run = PageRun{run.first + done, run.pages - done}) {
      const Part part = first_part(run);
      done = std::max<std::uint64_t>(1, part.pages);
      if (part.pages != 0) {
        visit(part, run.first);
      } else {
        ++outside;
      }
    }
    return outside;
  }

 private:
  /// A region in pages.
  struct Extent {
    std::uint64_t first = 0;  // page
    std::uint64_t pages = 0;
    std::uint64_t index = 0;        // page index of its first page
    std::uint64_t lead = 0;         // pages of its first block that lie before it
    std::uint32_t first_block = 0;  // id
    unsigned shift = 0;             // pages of a block: 1 << shift
    bool huge = false;
    bool can_discard = false;
  };
  [[nodiscard]] static Extent measure(const gmem::Region& region,
                                      std::uint32_t first_block) noexcept;

  [[nodiscard]] const Extent& extent_of(std::uint32_t id) const noexcept {
    const Extent* extent = &extents_.back();
    while (extent->first_block > id) --extent;
    return *extent;
  }

  [[nodiscard]] const Extent* find(std::uint64_t page) const noexcept {
    for (const Extent& extent : extents_) {
      if (page - extent.first < extent.pages) return &extent;
    }
    return nullptr;
  }

  [[nodiscard]] static Part cut(const Extent& extent, std::uint64_t page,
                                std::uint64_t pages) noexcept {
    const std::uint64_t inside = page - extent.first;
    const std::uint64_t at = extent.lead + inside;
    const std::uint64_t block_pages = std::uint64_t{1} << extent.shift;
    Part part;
    part.index = extent.index + inside;
    part.pages = std::min({pages, block_pages - (at & (block_pages - 1)), extent.pages - inside});
    part.block = extent.first_block + static_cast<std::uint32_t>(at >> extent.shift);
    part.huge = extent.huge;
    part.can_discard = extent.can_discard;
    return part;
  }

  std::vector<Extent> extents_;  // per region
  std::uint32_t count_ = 0;
  std::shared_ptr<const gmem::GuestMemory> memory_;
};

}  // namespace vballoon::reclaim
