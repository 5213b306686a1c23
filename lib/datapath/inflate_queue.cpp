// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/inflate_queue.hpp"

namespace vballoon::datapath {

void InflateQueue::take(reclaim::PageRun run) noexcept {
  const reclaim::Tally tally = context_.reclaimer.inflate(run, context_.now_us);
  context_.counters.inflate_pages.add(tally.changed);
  context_.counters.already_ballooned.add(tally.unchanged);
  context_.counters.outside_memory.add(tally.outside);
}

/// Early where the driver promised to tell before it uses a page again: it may then not rely on
/// what is in the page (5.5.6.2). Late where it did not.
void InflateQueue::end(virtq::Head head) noexcept {
  if (context_.tells_host && held_.empty()) {
    ring_.finish(head);
  } else {
    held_.hold_for_gathered(head);
  }
}

template class PfnQueue<InflateQueue>;

}  // namespace vballoon::datapath
