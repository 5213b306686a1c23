// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/prefaults.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "reclaim/gather.hpp"

namespace vballoon::reclaim {

void Prefaults::add(PageRun run) noexcept {
  VB_CHECK(runs_.push(run));
}

void Prefaults::pump(const Gather& gather, Handover& handover) noexcept {
  while (!runs_.empty()) {
    if (handover.spent()) return;
    const PageRun run = runs_.front();
    const gmem::Region* region = gather.memory().find(gpa_of(run.first));
    VB_CHECK(region != nullptr);
    const PageRun part{run.first, gather.blocks().first_part(run).pages};
    const std::uint64_t pages = pages_to_fetch(*region, part);
    if (pages < part.pages && !discards_are_counted(handover)) return;
    if (pages == 0) {
      runs_.take(part.pages);
      continue;
    }
    if (!handover.make_room(*region, Account::kPrefaulted)) return;
    const PageRun fetched{run.first, pages};
    handover.fetch(*region, fetched);
    owed_ -= host_bytes_of(*region, fetched);
    runs_.take(pages);
  }
  wait_until_.reset();
  if (!handover.in_flight()) limit_owed(gather.ballooned_pages());
}

/// Whether all that was handed over when the first of the runs came has told what it freed. Not
/// what came since: a guest that goes on inflating would wait for its deflate buffer for ever.
bool Prefaults::discards_are_counted(const Handover& handover) noexcept {
  if (!wait_until_) wait_until_ = handover.handed_over();
  return handover.passed(*wait_until_);
}

/// As many pages from its first on as are owed; of a huge page all that the run has, or none.
std::uint64_t Prefaults::pages_to_fetch(const gmem::Region& region, PageRun run) const noexcept {
  if (host_bytes_of(region, run) <= owed_) return run.pages;
  return region.backing.host_page == kPageSize ? bytes_to_pages(owed_) : 0;
}

void Prefaults::learn(const Batch& batch) noexcept {
  if (batch.account == Account::kInflated) owed_ += batch.moved_bytes;
  if (batch.account == Account::kPrefaulted) owed_ += batch.host_bytes - batch.moved_bytes;
  if (batch.account == Account::kReturned) owed_ -= std::min(owed_, batch.moved_bytes);
}

void Prefaults::limit_owed(std::uint64_t ballooned_pages) noexcept {
  owed_ = std::min(owed_, pages_to_bytes(ballooned_pages));
}

}  // namespace vballoon::reclaim
