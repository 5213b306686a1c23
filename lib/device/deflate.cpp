// SPDX-License-Identifier: BSD-3-Clause
#include "device/pfn_queue.hpp"

namespace vballoon::device {

void DeflateQueue::take(Pfn pfn) noexcept {
  switch (context_.reclaimer.deflate(pfn)) {
    case reclaim::Outcome::kDone: context_.counters.deflate_pages.add(1); break;
    case reclaim::Outcome::kNotThere: context_.counters.not_ballooned.add(1); break;
    case reclaim::Outcome::kOutsideMemory: context_.counters.outside_memory.add(1); break;
    case reclaim::Outcome::kAlreadyThere: break;
  }
}

}  // namespace vballoon::device
