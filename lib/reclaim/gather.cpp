// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/gather.hpp"

#include <algorithm>

#include "reclaim/batch.hpp"

namespace vballoon::reclaim {

/// Whether a page that enters the balloon may be discarded some time later. Where the driver does
/// not tell, its buffer waits for the discard, so what cannot be discarded now never can.
bool Gather::may_gather(const Part& part) const noexcept {
  return part.can_discard && (tells_host_ || (!part.huge && !inhibited()));
}

void Gather::retain(const Part& part) noexcept {
  counters_.retained_bytes.add(pages_to_bytes(part.pages));
  tables_->ledger.keep(part);
}

Tally Gather::inflate(PageRun run, std::uint64_t now_us) noexcept {
  VB_OWNED(owner_);
  Tally tally;
  Tables& tables = *tables_;
  tally.outside = tables.blocks.for_each_known_part(run, [&](const Part& part, auto) noexcept {
    const std::uint64_t fresh = tables.ledger.insert(part);
    tally.changed += fresh;
    tally.unchanged += part.pages - fresh;
    if (may_gather(part)) {
      tables.window.add(part, tables.ledger.complete(part.block), now_us);
    } else {
      retain(part);
    }
  });
  return tally;
}

std::uint64_t Gather::portion(GpaRange range, std::uint64_t bytes) const noexcept {
  if (range.bytes <= bytes) return range.bytes;
  // The page that holds the last byte, and the rest of its block.
  const std::uint64_t last = range.first.value + bytes - 1;
  const std::uint64_t page = bytes_to_pages(last);
  const std::uint64_t rest = tables_->blocks.first_part(PageRun{page, UINT32_MAX}).pages;
  return std::min(range.bytes, pages_to_bytes(page + rest) - range.first.value);
}

void Gather::let_out(std::uint64_t now_us, bool everything) noexcept {
  VB_OWNED(owner_);
  if (everything) return tables_->window.release_all();
  tables_->window.age(now_us);
  tables_->window.shrink_to(window_pages_);
}

PageRun Gather::take() noexcept {
  VB_OWNED(owner_);
  const PageRun run = *tables_->window.take();
  under_way_ += run.pages;
  return run;
}

void Gather::keep_waiting() noexcept {
  VB_OWNED(owner_);
  tables_->window.release_all();
  while (const auto run = tables_->window.take()) {
    tables_->blocks.for_each_part(*run, [this](const Part& part) noexcept { retain(part); });
  }
}

void Gather::learn(const Batch& batch) noexcept {
  VB_OWNED(owner_);
  under_way_ -= bytes_to_pages(batch.bytes);
  if (batch.refused == 0 && tables_->ledger.kept() == 0) return;
  for (const gmem::Region& region : memory().regions()) {
    if (region.fd.get() != batch.fd) continue;
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const Piece& piece = batch.pieces[i];
      const bool refused = ((batch.refused >> i) & 1) != 0;
      const PageRun run{page_of(region.first) + bytes_to_pages(piece.offset - region.file_offset),
                        bytes_to_pages(piece.bytes)};
      tables_->blocks.for_each_part(run, [&](const Part& part) noexcept {
        refused ? tables_->ledger.keep(part) : tables_->ledger.give(part);
      });
    }
  }
}

std::uint64_t Gather::reclaimed_pages() const noexcept {
  if (tables_ == nullptr) return 0;
  const Ledger& ledger = tables_->ledger;
  const std::uint64_t not_yet =
      ledger.stranded() + ledger.kept() + tables_->window.pages() + under_way_;
  return ledger.population() - std::min(ledger.population(), not_yet);
}

void Gather::show() noexcept {
  counters_.gathered_pages.set(tables_ != nullptr ? tables_->window.pages() : 0);
  counters_.kept_pages.set(tables_ != nullptr ? tables_->ledger.kept() : 0);
  counters_.reclaimed_pages.set(reclaimed_pages());
}

}  // namespace vballoon::reclaim
