// SPDX-License-Identifier: BSD-3-Clause
#include "device/pfn_queue.hpp"

namespace vballoon::device {

void InflateQueue::take(Pfn pfn) noexcept {
  switch (context_.reclaimer.inflate(pfn)) {
    case reclaim::Outcome::kDone: context_.counters.inflate_pages.add(1); break;
    case reclaim::Outcome::kAlreadyThere: context_.counters.already_ballooned.add(1); break;
    case reclaim::Outcome::kOutsideMemory: context_.counters.outside_memory.add(1); break;
    case reclaim::Outcome::kNotThere: break;
  }
}

}  // namespace vballoon::device
