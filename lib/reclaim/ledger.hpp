// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/ledger.hpp - which pages are in the balloon: one bit a page, two counts a block.
#pragma once

#include <cstdint>
#include <span>

#include "base/zeroed_array.hpp"
#include "reclaim/bitmap.hpp"
#include "reclaim/block_map.hpp"

namespace vballoon::reclaim {

/// Where a ledger's bits are kept so that they outlive it. By default nowhere.
struct LedgerRoom {
  std::span<std::uint64_t> words;    ///< Bitmap::words_for(pages of guest memory), or none
  std::span<std::uint64_t> touched;  ///< Bitmap::marks_for(the same): where words may be set
  bool filled = false;               ///< they are this memory's already
  // Where larger pages begin (sized_pages.hpp): as many of both again, or none.
  std::span<std::uint64_t> marks = {};
  std::span<std::uint64_t> marks_touched = {};
  std::span<std::uint64_t> leaving = {};  ///< Leaving::kWords, or none
};

/// Pages inflated and not yet deflated.
class Ledger {
 public:
  explicit Ledger(const BlockMap& blocks) : Ledger(blocks, LedgerRoom{}) {}
  /// Of a filled room: the pages that are in it; none of them counts as kept.
  Ledger(const BlockMap& blocks, const LedgerRoom& room);

  /// @return how many were not in before.
  std::uint64_t insert(const Part& part) noexcept;
  /// @return how many were in.
  std::uint64_t erase(const Part& part) noexcept;

  /// Pages that are in, but that the host does not have: their file takes no holes, or the kernel
  /// refused. Those of a huge page count only while it is complete; else they are stranded.
  void keep(const Part& part) noexcept;
  /// Pages that the host did get; they were perhaps kept before.
  void give(const Part& part) noexcept;

  /// Whether all that must be is in, for the block to be freed as one.
  [[nodiscard]] bool complete(std::uint32_t block) const noexcept {
    return inside_[block] == blocks_.complete_at(block);
  }

  /// Whether any of these pages is in.
  [[nodiscard]] bool any(const Part& part) const noexcept {
    const std::uint64_t end = part.index + part.pages;
    return inside_[part.block] != 0 && pages_.next_set(part.index, end) != end;
  }

  /// 4 KiB pages in the balloon.
  [[nodiscard]] std::uint64_t population() const noexcept { return population_; }
  /// Of these, pages in a huge page that is not complete: in the balloon, but not freeable.
  [[nodiscard]] std::uint64_t stranded() const noexcept { return stranded_; }

  /// Of these, pages that the host does not have though nothing more will be tried. There is a
  /// count a block and no bit a page: of a block that was kept in part, the others are taken to
  /// leave first. So the figure may be too large for a while, never too small.
  [[nodiscard]] std::uint64_t kept() const noexcept { return kept_; }
  [[nodiscard]] std::uint64_t kept_in(std::uint32_t block) const noexcept {
    return kept_in_[block];
  }

  [[nodiscard]] const Bitmap& pages() const noexcept { return pages_; }

  /// Calls visit(id) for each block that has pages in the balloon, in order.
  template <typename Visit>
  void for_each_block(Visit visit) const {
    for (std::uint64_t at = pages_.next_set(0, pages_.size()); at < pages_.size();) {
      const Block block = blocks_[blocks_.block_at(at)];
      visit(block);
      at = pages_.next_set(block.part.index + block.part.pages, pages_.size());
    }
  }

  /// Any thread, see ZeroedArray. @param bytes  of each table at most.
  void provide(std::uint64_t bytes) const noexcept {
    pages_.provide(bytes);
    inside_.provide(bytes);
    kept_in_.provide(bytes);
  }

 private:
  void set_kept(std::uint32_t block, std::uint64_t pages) noexcept;
  void recount() noexcept;

  const BlockMap& blocks_;
  Bitmap pages_;                        // by page index
  ZeroedArray<std::uint32_t> inside_;   // by block
  ZeroedArray<std::uint32_t> kept_in_;  // by block, no more than inside_
  std::uint64_t population_ = 0;
  std::uint64_t stranded_ = 0;
  std::uint64_t kept_ = 0;
};

}  // namespace vballoon::reclaim
