// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/reclaim_lcore.hpp"

#include <utility>

#include "reclaim/handover.hpp"

namespace vballoon::lcore {

void ReclaimLcore::run(Tenure& tenure) noexcept {
  idle_.begin();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const auto turn = engine_.work(worker_, tenure, counters_.batches);
    if (turn.lost) return;
    counters_.passes.add(1);
    if (turn.batches != 0) counters_.busy_passes.add(1);
    const Found found = turn.batches != 0 ? Found::kStream : Found::kNothing;
    if (idle_.after_pass(found)) counters_.sleeps.add(1);
  }
}

/// The device waits for the batch in which the thread stands still, so the device still exists.
void ReclaimLcore::part_with(const void* whose, Parting* parting) noexcept {
  parting->conduct = static_cast<const reclaim::Handover*>(whose)->conduct();
  parting->lane.open(parting->conduct);
  parting->goes_on_with = &parting->lane;
}

void LanePost::open(std::shared_ptr<reclaim::Conduct> conduct) noexcept {
  conduct_ = std::move(conduct);
  closing_.store(false, std::memory_order_relaxed);
  conduct_->lane.store(&lane_, std::memory_order_release);
}

void LanePost::close() noexcept {
  conduct_.reset();
  stop();
}

void LanePost::run(Tenure& tenure) noexcept {
  Idle idle(IdleStrategy::kBackoff);
  idle.begin();
  for (;;) {
    // Loaded before the work: every batch that was forwarded before close() is then seen below.
    const bool closing = closing_.load(std::memory_order_acquire);
    const bool worked = engine_->work(lane_, tenure);
    if (worked) batches_.add(1);
    if (closing && !worked) return;
    static_cast<void>(idle.after_pass(worked ? Found::kStream : Found::kNothing));
  }
}

}  // namespace vballoon::lcore
