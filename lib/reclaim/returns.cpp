// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/returns.hpp"

#include "base/check.hpp"
#include "reclaim/gather.hpp"

namespace vballoon::reclaim {
namespace {

bool overlap(PageRun one, PageRun other) noexcept {
  return one.first < other.end() && other.first < one.end();
}

}  // namespace

void Returns::add(PageRun run, bool inside) {
  VB_CHECK(pages_.size() < room_);
  pages_.push_back({run, inside, false});
}

void Returns::pump(const Gather& gather, Handover& handover, bool everywhere) noexcept {
  for (; next_ < pages_.size(); ++next_, fetched_ = 0) {
    const Page& page = pages_[next_];
    if (page.inside && !pump_page(page, gather, handover, everywhere)) return;
  }
}

/// @return whether all of it is handed over.
bool Returns::pump_page(const Page& page, const Gather& gather, Handover& handover,
                        bool everywhere) noexcept {
  while (fetched_ < page.run.pages) {
    const PageRun rest{page.run.first + fetched_, page.run.pages - fetched_};
    const gmem::Region* const region = gather.memory().find(gpa_of(rest.first));
    VB_CHECK(region != nullptr);
    const Part part = gather.blocks().first_part(rest);
    // What cannot be discarded was not.
    if (part.can_discard && (everywhere || region->backing.host_page > kPageSize)) {
      if (handover.spent() || !handover.make_room(*region, Account::kReturned)) return false;
      handover.fetch(*region, PageRun{rest.first, part.pages});
    }
    fetched_ += part.pages;
  }
  return true;
}

void Returns::learn(const Batch& batch, const gmem::GuestMemory& memory) noexcept {
  if (batch.refused == 0) return;
  for (const gmem::Region& region : memory.regions()) {
    if (region.fd.get() != batch.fd) continue;
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const Piece& piece = batch.pieces[i];
      if (((batch.refused >> i) & 1) == 0 || piece.offset - region.file_offset >= region.bytes)
        continue;
      const PageRun missing{
          page_of(region.first) + bytes_to_pages(piece.offset - region.file_offset),
          bytes_to_pages(piece.bytes)};
      for (Page& page : pages_) {
        if (page.inside && overlap(page.run, missing)) page.refused = true;
      }
    }
  }
}

}  // namespace vballoon::reclaim
