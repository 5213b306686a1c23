// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/reclaimer_keep.cpp - memory that somebody else has, too, is not to be discarded.
#include "base/check.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::reclaim {

void Reclaimer::keep_regions(std::uint32_t mask) noexcept {
  VB_CHECK(!in_flight());
  if (blocks_ == nullptr) return;
  blocks_->keep_regions(mask);
  const Bitmap& gathered = window_->gathered();
  for (std::uint64_t at = gathered.next_set(0, gathered.size()); at < gathered.size();) {
    const Block block = (*blocks_)[blocks_->block_at(at)];
    const std::uint64_t end = block.part.index + block.part.pages;
    const std::uint64_t last = gathered.next_clear(at, end);
    if (block.part.can_discard) {
      at = gathered.next_set(end, gathered.size());
      continue;
    }
    const Part part = blocks_->first_part({block.run.first + (at - block.part.index), last - at});
    window_->remove(part);
    retain(part);
    at = gathered.next_set(last, gathered.size());
  }
  show();
}

}  // namespace vballoon::reclaim
