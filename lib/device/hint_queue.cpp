// SPDX-License-Identifier: BSD-3-Clause
#include "device/hint_queue.hpp"

namespace vballoon::device {

void HintQueue::serve() noexcept {
  std::uint32_t hops = 0;
  for (unsigned i = 0; i < kBuffersPerPass && hops < kHopsPerPass; ++i) {
    const auto head = ring_.pop();
    if (!head) return;
    virtq::ChainWalk walk = ring_.walk(*head);
    for (virtq::Segment segment; walk.next(&segment);) {
      // What the driver only lets the device read is a command id, not pages.
      if (segment.device_writes) {
        context_.counters.hint_pages.add(bytes_to_pages(segment.range.bytes));
      }
    }
    hops += walk.hops();
    count_fault(walk);
    ring_.finish(*head);
  }
}

}  // namespace vballoon::device
