// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/pfn_queue.hpp - a queue whose buffers are arrays of page numbers: inflate and deflate.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "datapath/device_queue.hpp"
#include "datapath/pfn_reader.hpp"
#include "datapath/pfn_runs.hpp"

namespace vballoon::datapath {

/// @tparam Kind  the queue itself, with
///                 void take(reclaim::PageRun run) noexcept
///                 bool room_for(std::size_t pages) const noexcept   whether so many page numbers
///                                                                   can be taken in this pass
///                 void end(virtq::Head head) noexcept   all pages of the buffer were taken:
///                                                       finishes or holds it
template <typename Kind>
class PfnQueue : public HoldingQueue {
 public:
  using HoldingQueue::HoldingQueue;

  [[nodiscard]] bool has_work() const noexcept { return current_.has_value() || ring_.has_work(); }
  void serve() noexcept;

 protected:
  ~PfnQueue() = default;

 private:
  struct Current {
    virtq::Head head;
    PfnReader reader;
  };
  [[nodiscard]] bool begin() noexcept;

  std::optional<Current> current_;  // a buffer that a pass began and did not finish
};

template <typename Kind>
void PfnQueue<Kind>::serve() noexcept {
  auto& kind = static_cast<Kind&>(*this);
  std::array<Pfn, 257> pfns;
  const reclaim::Conduct& conduct = *context_.reclaimer.handover().conduct();
  const auto goes_on = [&] { return !conduct.hurried() && kind.room_for(pfns.size()) && begin(); };
  for (std::size_t taken = 0; taken < kPagesPerPass && goes_on();) {
    const std::size_t count = current_->reader.read(pfns);
    for_each_run(std::span(pfns).first(count), [&kind](reclaim::PageRun run) { kind.take(run); });
    taken += count;
    if (count == 0) {
      // A chain of empty descriptors is work too.
      taken += 1 + current_->reader.walk().hops();
      count_fault(current_->reader.walk());
      kind.end(current_->head);
      current_.reset();
    }
  }
}

template <typename Kind>
bool PfnQueue<Kind>::begin() noexcept {
  if (current_) return true;
  const auto head = ring_.pop();
  if (!head) return false;
  current_.emplace(Current{*head, PfnReader(ring_.walk(*head), ring_.memory(), context_.counters)});
  return true;
}

}  // namespace vballoon::datapath
