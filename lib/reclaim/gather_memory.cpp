// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/gather_memory.cpp - what is in the balloon when the memory below it changes.
#include <utility>

#include "reclaim/gather.hpp"

namespace vballoon::reclaim {
namespace {

/// Of each table in advance: the bitmaps of 128 GiB.
constexpr std::uint64_t kProvided = 4 * kMiB;

/// Calls visit(part) for every page of the set that `into` has too.
/// @param pages  the set, indexed by `from`.
template <typename Visit>
void for_each_common_part(const BlockMap& from, const Bitmap& pages, const BlockMap& into,
                          Visit visit) {
  for (const gmem::Region& region : from.memory().regions()) {
    const std::uint64_t end = region.first_index + bytes_to_pages(region.bytes);
    for (std::uint64_t at = pages.next_set(region.first_index, end); at < end;) {
      const std::uint64_t last = pages.next_clear(at, end);
      const PageRun run{page_of(region.first) + (at - region.first_index), last - at};
      into.for_each_known_part(run, [&](const Part& part, auto) { visit(part); });
      at = pages.next_set(last, end);
    }
  }
}

}  // namespace

void Gather::set_memory(std::shared_ptr<const gmem::GuestMemory> memory, const LedgerRoom& room) {
  VB_OWNED(owner_);
  auto tables = std::make_unique<Tables>(BlockMap(std::move(memory)), room, ages_, sizes_);
  if (tables_ != nullptr) carry_over(room, tables.get());
  tables_ = std::move(tables);
  room_ = room;
  room_.filled = false;
  show();
}

void Gather::carry_over(const LedgerRoom& room, Tables* into) const {
  const BlockMap& from = tables_->blocks;
  Ledger& ledger = into->ledger;
  if (!room.filled) carry_pages_over(into);
  for_each_common_part(from, tables_->window.gathered(), into->blocks, [&](const Part& part) {
    if (may_gather(part)) {
      into->window.add(part, ledger.complete(part.block), 0);
    } else {
      ledger.keep(part);
    }
  });
  // Blocks may be cut elsewhere now, so of a block that was kept in part all that can be is.
  if (tables_->ledger.kept() == 0) return;
  tables_->ledger.for_each_block([&](const Block& block) {
    if (tables_->ledger.kept_in(block.part.block) == 0) return;
    into->blocks.for_each_known_part(block.run, [&](const Part& part, auto) { ledger.keep(part); });
  });
}

/// Of a page that is larger than 4 KiB all or nothing.
void Gather::carry_pages_over(Tables* into) const {
  const auto insert = [into](const Part& part, auto...) { into->ledger.insert(part); };
  if (!tables_->sized) {
    for_each_common_part(tables_->blocks, tables_->ledger.pages(), into->blocks, insert);
    return;
  }
  tables_->sized->for_each([&](PageRun page, unsigned kind) {
    const GpaRange range{gpa_of(page.first), pages_to_bytes(page.pages)};
    if (!into->blocks.memory().contains(range)) return;
    into->sized->add(page, kind);
    into->blocks.for_each_part(page, insert);
  });
}

void Gather::gather_all(std::uint64_t now_us) noexcept {
  VB_OWNED(owner_);
  if (tables_ == nullptr || !tells_host_) return;
  Tables& tables = *tables_;
  for_each_common_part(tables.blocks, tables.ledger.pages(), tables.blocks, [&](const Part& part) {
    if (may_gather(part)) {
      tables.window.add(part, tables.ledger.complete(part.block), now_us);
    } else {
      retain(part);
    }
  });
  show();
}

void Gather::keep_regions(std::uint32_t mask) noexcept {
  VB_OWNED(owner_);
  if (tables_ == nullptr) return;
  BlockMap& blocks = tables_->blocks;
  blocks.keep_regions(mask);
  const Bitmap& gathered = tables_->window.gathered();
  for (std::uint64_t at = gathered.next_set(0, gathered.size()); at < gathered.size();) {
    const Block block = blocks[blocks.block_at(at)];
    const std::uint64_t end = block.part.index + block.part.pages;
    const std::uint64_t last = gathered.next_clear(at, end);
    if (block.part.can_discard) {
      at = gathered.next_set(end, gathered.size());
      continue;
    }
    const Part part = blocks.first_part({block.run.first + (at - block.part.index), last - at});
    tables_->window.remove(part);
    retain(part);
    at = gathered.next_set(last, gathered.size());
  }
  show();
}

void Gather::empty() {
  VB_OWNED(owner_);
  if (tables_ == nullptr) return;
  tables_ = std::make_unique<Tables>(tables_->blocks, room_, ages_, sizes_);
  show();
}

void Gather::release() noexcept {
  VB_OWNED(owner_);
  tables_.reset();
  room_ = {};
  show();
}

void Gather::provide_tables() const noexcept {
  if (tables_ == nullptr) return;
  tables_->ledger.provide(kProvided);
  tables_->window.provide(kProvided);
  if (tables_->sized) tables_->sized->provide(kProvided);
}

}  // namespace vballoon::reclaim
