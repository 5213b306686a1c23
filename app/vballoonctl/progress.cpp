// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/progress.cpp - see progress.hpp.
#include "progress.hpp"

#include <algorithm>

#include "base/guest_page.hpp"

namespace vballoon::ctl {

Progress::Progress(std::uint64_t target, std::uint64_t actual, Clock::time_point now,
                   std::optional<std::chrono::seconds> timeout)
    : target_(target),
      whole_(distance(actual)),
      closest_(whole_),
      begin_(now),
      moved_(now),
      timeout_(timeout) {}

Verdict Progress::see(std::uint64_t target, std::uint64_t actual, Clock::time_point now) {
  if (target != target_) return Verdict::kRetargeted;
  if (at_target(actual, target_)) return Verdict::kReached;
  const std::uint64_t left = distance(actual);
  if (left < closest_) {
    closest_ = left;
    moved_ = now;
  }
  if (timeout_ && now - begin_ >= *timeout_) return Verdict::kTimedOut;
  return now - moved_ >= kStallAfter ? Verdict::kStalled : Verdict::kGoing;
}

std::uint64_t Progress::done_bytes(std::uint64_t actual) const noexcept {
  return whole_ - std::min(whole_, distance(actual));
}

std::uint64_t Progress::distance(std::uint64_t actual) const noexcept {
  return actual > target_ ? actual - target_ : target_ - actual;
}

}  // namespace vballoon::ctl
