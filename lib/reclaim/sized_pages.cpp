// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/sized_pages.hpp"

#include <algorithm>
#include <atomic>

namespace vballoon::reclaim {
namespace {

Bitmap marks_in(const BlockMap& blocks, const LedgerRoom& room) {
  const std::uint64_t pages = blocks.memory().pages();
  return room.marks.empty() ? Bitmap(pages) : Bitmap(pages, room.marks, room.marks_touched);
}

ZeroedArray<std::uint32_t> counts_for(const BlockMap& blocks, bool any, std::uint64_t chunk) {
  return ZeroedArray<std::uint32_t>(any ? blocks.memory().pages() / chunk + 1 : 0);
}

/// A process may be killed at any instant, and the next one reads what it stored by then.
void in_program_order() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

std::uint64_t head_of(std::uint64_t page, std::uint64_t pages) noexcept {
  return page & ~(pages - 1);
}

}  // namespace

SizedPages::SizedPages(const BlockMap& blocks, Ledger& ledger, const PageShifts& sizes,
                       const LedgerRoom& room)
    : blocks_(blocks),
      ledger_(ledger),
      sizes_(sizes),
      marks_(marks_in(blocks, room)),
      counts_{counts_for(blocks, sizes.count > 0, kChunk),
              counts_for(blocks, sizes.count > 1, kChunk),
              counts_for(blocks, sizes.count > 2, kChunk)} {
  if (room.words.empty()) return;
  if (room.filled) {
    recount();
  } else if (!room.marks.empty()) {
    marks_.clear_all();
  }
}

std::uint64_t SizedPages::page_at(std::uint64_t index) const noexcept {
  const Block block = blocks_[blocks_.block_at(index)];
  return block.run.first + (index - block.part.index);
}

std::optional<std::uint64_t> SizedPages::index_of(std::uint64_t page) const noexcept {
  const Part part = blocks_.first_part(PageRun{page, 1});
  return part.pages != 0 ? std::optional(part.index) : std::nullopt;
}

/// The kind of the larger page that begins here. Its first 4 KiB page has a mark, and of the
/// largest of three sizes the second one, too. @pre a larger page can begin here
std::optional<unsigned> SizedPages::marked(std::uint64_t index) const noexcept {
  if (sizes_.count < 2 || !marks_.test(index)) return std::nullopt;
  return index + 1 < size() && marks_.test(index + 1) ? 2 : 1;
}

/// The larger page that has this one. @param index  of the page
std::optional<SizedPages::Found> SizedPages::covering(std::uint64_t page,
                                                      std::uint64_t index) const noexcept {
  for (unsigned kind = 1; kind < sizes_.count; ++kind) {
    const std::uint64_t pages = sizes_.pages(kind);
    const std::uint64_t head = head_of(page, pages);
    const auto at = index_of(head);
    if (at && *at + (page - head) == index && marked(*at) == kind) {
      return Found{PageRun{head, pages}, *at + pages};
    }
  }
  return std::nullopt;
}

bool SizedPages::has(PageRun page, unsigned kind) const noexcept {
  const auto at = index_of(page.first);
  if (!at || !ledger_.pages().test(*at)) return false;
  const auto larger = covering(page.first, *at);
  return larger ? kind != 0 && larger->page == page : kind == 0;
}

std::optional<PageRun> SizedPages::with(std::uint64_t index, unsigned kind) const noexcept {
  const std::uint64_t pages = sizes_.pages(kind);
  const PageRun page{head_of(page_at(index), pages), pages};
  return has(page, kind) ? std::optional(page) : std::nullopt;
}

bool SizedPages::touches(PageRun page) const noexcept {
  bool any = false;
  blocks_.for_each_part(page, [&](const Part& part) noexcept { any = any || ledger_.any(part); });
  return any;
}

void SizedPages::count_page(std::uint64_t index, unsigned kind) noexcept {
  ++counts_[kind][index / kChunk];
  ++total_[kind];
}

void SizedPages::add(PageRun page, unsigned kind) noexcept {
  const std::uint64_t at = *index_of(page.first);
  if (kind != 0) {
    if (kind == 2) {
      marks_.set(at + 1, 1);
    } else {
      marks_.clear(at + 1, 1);
    }
    in_program_order();
    marks_.set(at, 1);
    in_program_order();
  }
  count_page(at, kind);
}

void SizedPages::remove(PageRun page, unsigned kind) noexcept {
  const std::uint64_t at = *index_of(page.first);
  in_program_order();
  if (kind != 0) marks_.clear(at, 2);
  --counts_[kind][at / kChunk];
  --total_[kind];
}

std::optional<SizedPages::Found> SizedPages::next_marked(unsigned kind, std::uint64_t from,
                                                         std::uint64_t end) const noexcept {
  for (std::uint64_t at = marks_.next_set(from, end); at < end; at = marks_.next_set(at, end)) {
    const std::uint64_t page = page_at(at);
    // Not a page's second mark, where the search begins there.
    const bool begins = head_of(page, sizes_.pages(1)) == page;
    const auto is = begins ? marked(at) : std::nullopt;
    if (is == kind) return Found{PageRun{page, sizes_.pages(kind)}, at + sizes_.pages(kind)};
    at += is ? sizes_.pages(*is) : 1;
  }
  return std::nullopt;
}

std::optional<SizedPages::Found> SizedPages::next_smallest(std::uint64_t from,
                                                           std::uint64_t end) const noexcept {
  const std::uint64_t pages = sizes_.pages(0);
  const Bitmap& in = ledger_.pages();
  for (std::uint64_t at = in.next_set(from, end); at < end; at = in.next_set(at, end)) {
    const std::uint64_t page = page_at(at);
    const std::uint64_t head = head_of(page, pages);
    const auto larger = covering(page, at);
    if (!larger && head == page) return Found{PageRun{page, pages}, at + pages};
    at = larger ? larger->end : at + (head + pages - page);
    if (at >= end) break;
  }
  return std::nullopt;
}

PageRun SizedPages::next(unsigned kind) noexcept {
  for (std::uint64_t at = cursor_[kind];;) {
    if (at >= size()) at = 0;
    const std::uint64_t end = std::min((at / kChunk + 1) * kChunk, size());
    const auto found = counts_[kind][at / kChunk] != 0 ? next_in(kind, at, end) : std::nullopt;
    if (found) {
      cursor_[kind] = found->end;
      return found->page;
    }
    at = end;
  }
}

void SizedPages::erase(PageRun run) noexcept {
  blocks_.for_each_part(run, [this](const Part& part) noexcept { ledger_.erase(part); });
}

void SizedPages::recount() noexcept {
  if (sizes_.count == 0) return;
  if (sizes_.count > 1) recount_marked();
  recount_smallest();
}

void SizedPages::recount_marked() noexcept {
  for (std::uint64_t at = marks_.next_set(0, size()); at < size();
       at = marks_.next_set(at, size())) {
    const std::uint64_t page = page_at(at);
    const unsigned kind = *marked(at);
    const std::uint64_t pages = kind < sizes_.count ? sizes_.pages(kind) : 0;
    const bool fits = pages != 0 && head_of(page, pages) == page && pages <= size() - at;
    if (fits && ledger_.pages().count(at, pages) == pages) {
      count_page(at, kind);
    } else {
      if (fits) erase(PageRun{page, pages});
      marks_.clear(at, 1);
    }
    at += fits ? pages : 1;
  }
}

void SizedPages::recount_smallest() noexcept {
  const std::uint64_t pages = sizes_.pages(0);
  const Bitmap& in = ledger_.pages();
  for (std::uint64_t at = in.next_set(0, size()); at < size(); at = in.next_set(at, size())) {
    const std::uint64_t page = page_at(at);
    if (const auto larger = covering(page, at)) {
      at = larger->end;
      continue;
    }
    const std::uint64_t head = head_of(page, pages);
    const std::uint64_t left = std::min(head + pages - page, size() - at);
    if (head == page && in.count(at, left) == pages) {
      count_page(at, 0);
    } else {
      erase(PageRun{page, left});
    }
    at += left;
  }
}

}  // namespace vballoon::reclaim
