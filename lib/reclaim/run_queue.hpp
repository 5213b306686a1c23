// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/run_queue.hpp - runs of pages that wait their turn, in the order they came.
// Never allocates.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/zeroed_array.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

/// Filled and emptied by turns: places are used anew once all are empty.
template <std::size_t kSlots>
class RunQueue {
 public:
  /// A run that begins where the newest ends makes it longer. @return false when there is no room.
  [[nodiscard]] bool push(PageRun run) noexcept {
    if (empty()) {
      next_ = end_ = 0;
    } else if (runs_[end_ - 1].end() == run.first) {
      runs_[end_ - 1].pages += run.pages;
      return true;
    }
    if (end_ == kSlots) return false;
    runs_[end_++] = run;
    return true;
  }

  /// Puts what waits in the order of its pages, and runs that touch or overlap into one: to whoever
  /// waits until all is taken the order means nothing, and each run costs a call.
  void tidy() noexcept {
    PageRun* const first = &runs_[next_];
    PageRun* const last = first + (end_ - next_);
    const auto before = [](PageRun a, PageRun b) noexcept { return a.first < b.first; };
    if (end_ - next_ < 2) return;
    if (!std::is_sorted(first, last, before)) std::sort(first, last, before);
    PageRun* newest = first;
    for (const PageRun* run = first + 1; run != last; ++run) {
      if (run->first > newest->end()) {
        *++newest = *run;
      } else {
        newest->pages = std::max(newest->end(), run->end()) - newest->first;
      }
    }
    end_ = next_ + static_cast<std::size_t>(newest + 1 - first);
  }

  /// @pre not empty.
  [[nodiscard]] PageRun front() const noexcept { return runs_[next_]; }
  /// Takes so many pages off the oldest run. @pre it has them.
  void take(std::uint64_t pages) noexcept {
    PageRun& run = runs_[next_];
    run = PageRun{run.first + pages, run.pages - pages};
    if (run.pages == 0) ++next_;
  }

  void clear() noexcept { next_ = end_ = 0; }
  [[nodiscard]] bool empty() const noexcept { return next_ == end_; }
  /// Runs that are sure to fit.
  [[nodiscard]] std::size_t room() const noexcept { return empty() ? kSlots : kSlots - end_; }

 private:
  ZeroedArray<PageRun> runs_{kSlots};  // [next_, end_) wait; memory once there is one
  std::size_t next_ = 0;
  std::size_t end_ = 0;
};

}  // namespace vballoon::reclaim
