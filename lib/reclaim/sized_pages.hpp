// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/sized_pages.hpp - of which size each page in the balloon was added.
// Thread: one owner.
// Source: docs/device-13.md, DEV-9: a page comes back as it was added.
//
// The ledger has the 4 KiB pages. Where more than one size is offered, marks say where larger pages
// begin; what no larger page covers is of the smallest size. A page is in the balloon with all of
// its 4 KiB pages or not at all, so the ledger alone suffices for one size.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/zeroed_array.hpp"
#include "reclaim/bitmap.hpp"
#include "reclaim/block_map.hpp"
#include "reclaim/ledger.hpp"
#include "reclaim/page_shifts.hpp"

namespace vballoon::reclaim {

/// A "kind" is a size's place among the offered ones.
class SizedPages {
 public:
  /// @param ledger  as it is; of a filled room pages that are not whole are taken out: a process
  ///                that was killed while it put them in, or took them out, left them.
  SizedPages(const BlockMap& blocks, Ledger& ledger, const PageShifts& sizes,
             const LedgerRoom& room);

  [[nodiscard]] const PageShifts& sizes() const noexcept { return sizes_; }

  /// Any thread, see ZeroedArray. @param bytes  at most
  void provide(std::uint64_t bytes) const noexcept {
    if (sizes_.count > 1) marks_.provide(bytes);
  }

  /// Whether exactly this page is in the balloon.
  [[nodiscard]] bool has(PageRun page, unsigned kind) const noexcept;
  /// Whether any part of this page is. @pre it is memory
  [[nodiscard]] bool touches(PageRun page) const noexcept;

  /// Comes before the ledger's insert() of all of it. @pre memory, and nothing of it is in
  void add(PageRun page, unsigned kind) noexcept;
  /// Comes after the ledger's erase() of all of it. @pre it was in, as this kind
  void remove(PageRun page, unsigned kind) noexcept;

  [[nodiscard]] std::uint64_t count(unsigned kind) const noexcept { return total_[kind]; }

  /// The page of this kind that has a 4 KiB page, by that one's index.
  [[nodiscard]] std::optional<PageRun> with(std::uint64_t index, unsigned kind) const noexcept;

  /// A page of this kind; each of them once before the first comes again. @pre count(kind) != 0
  [[nodiscard]] PageRun next(unsigned kind) noexcept;

  /// Calls visit(page, kind) for each in the balloon.
  template <typename Visit>
  void for_each(Visit visit) const;

 private:
  /// What is counted apart, so that a search passes over empty memory: 128 MiB.
  static constexpr std::uint64_t kChunk = Bitmap::kChunkBits;

  struct Found {
    PageRun page;
    std::uint64_t end = 0;  ///< the index after its last page
  };

  [[nodiscard]] std::uint64_t size() const noexcept { return marks_.size(); }
  [[nodiscard]] std::uint64_t page_at(std::uint64_t index) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> index_of(std::uint64_t page) const noexcept;
  [[nodiscard]] std::optional<unsigned> marked(std::uint64_t index) const noexcept;
  [[nodiscard]] std::optional<Found> covering(std::uint64_t page,
                                              std::uint64_t index) const noexcept;
  [[nodiscard]] std::optional<Found> next_marked(unsigned kind, std::uint64_t from,
                                                 std::uint64_t end) const noexcept;
  [[nodiscard]] std::optional<Found> next_smallest(std::uint64_t from,
                                                   std::uint64_t end) const noexcept;
  [[nodiscard]] std::optional<Found> next_in(unsigned kind, std::uint64_t from,
                                             std::uint64_t end) const noexcept {
    return kind == 0 ? next_smallest(from, end) : next_marked(kind, from, end);
  }
  void count_page(std::uint64_t index, unsigned kind) noexcept;
  void erase(PageRun run) noexcept;
  void recount() noexcept;
  void recount_marked() noexcept;
  void recount_smallest() noexcept;

  const BlockMap& blocks_;
  Ledger& ledger_;
  const PageShifts sizes_;
  Bitmap marks_;  // by page index; a larger page begins here: see marked()
  std::array<ZeroedArray<std::uint32_t>, PageShifts::kMost> counts_;  // by kind, by chunk
  std::array<std::uint64_t, PageShifts::kMost> total_{};
  std::array<std::uint64_t, PageShifts::kMost> cursor_{};  // where next() goes on, by index
};

template <typename Visit>
void SizedPages::for_each(Visit visit) const {
  for (unsigned kind = 0; kind < sizes_.count; ++kind) {
    if (total_[kind] == 0) continue;
    std::uint64_t at = 0;
    while (at < size()) {
      const std::uint64_t end = std::min((at / kChunk + 1) * kChunk, size());
      const auto found = counts_[kind][at / kChunk] != 0 ? next_in(kind, at, end) : std::nullopt;
      if (found) visit(found->page, kind);
      at = found ? found->end : end;
    }
  }
}

}  // namespace vballoon::reclaim
