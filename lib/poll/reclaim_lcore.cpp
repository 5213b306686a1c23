// SPDX-License-Identifier: BSD-3-Clause
#include "poll/reclaim_lcore.hpp"

namespace vballoon::poll {

void ReclaimLcore::run() noexcept {
  idle_.begin();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::size_t batches = engine_.work(worker_, &counters_.batches);
    counters_.passes.add(1);
    if (batches != 0) counters_.busy_passes.add(1);
    const Found found = batches != 0 ? Found::kStream : Found::kNothing;
    if (idle_.after_pass(found)) counters_.sleeps.add(1);
  }
}

}  // namespace vballoon::poll
