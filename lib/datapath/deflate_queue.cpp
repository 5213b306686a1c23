// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/deflate_queue.hpp"

namespace vballoon::datapath {

void DeflateQueue::take(reclaim::PageRun run) noexcept {
  const reclaim::Tally tally = context_.reclaimer.deflate(run);
  context_.counters.deflate_pages.add(tally.changed);
  context_.counters.not_ballooned.add(tally.unchanged);
  context_.counters.outside_memory.add(tally.outside);
}

/// Once this buffer is used its pages are the guest's. Those that waited in the window no longer
/// do; those that were on their way to be discarded must have arrived, and be put there again where
/// that was asked for.
void DeflateQueue::end(virtq::Head head) noexcept {
  if (!context_.reclaimer.prefaults().handed_over()) return held_.hold_for_gathered(head);
  const reclaim::Handover& handover = context_.reclaimer.handover();
  const reclaim::Fence fence = handover.handed_over();
  if (held_.empty() && handover.passed(fence)) {
    ring_.finish(head);
  } else {
    held_.hold(head, fence);
  }
}

template class PfnQueue<DeflateQueue>;

}  // namespace vballoon::datapath
