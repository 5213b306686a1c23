// SPDX-License-Identifier: BSD-3-Clause
#include "progress.hpp"

#include <algorithm>

#include "base/guest_page.hpp"

namespace vballoon::ctl {

Progress::Progress(std::uint64_t target, std::optional<std::uint64_t> actual, Clock::time_point now,
                   std::optional<std::chrono::seconds> timeout)
    : target_(target), begin_(now), moved_(now), timeout_(timeout) {
  begin_at(actual);
}

void Progress::begin_at(std::optional<std::uint64_t> actual) noexcept {
  if (seen_ || !actual) return;
  seen_ = true;
  whole_ = closest_ = distance(*actual);
}

Verdict Progress::see(std::uint64_t target, std::optional<std::uint64_t> actual,
                      Clock::time_point now) {
  // The target of a share follows the guest's size, which wavers a little.
  if (!at_target(target, target_)) return Verdict::kRetargeted;
  if (!seen_ && actual) {
    moved_ = now;
    stepped_ = true;
  }
  begin_at(actual);
  if (actual) {
    if (at_target(*actual, target_)) return Verdict::kReached;
    const std::uint64_t left = distance(*actual);
    if (left < closest_) {
      closest_ = left;
      moved_ = now;
      stepped_ = true;
    }
  }
  if (timeout_ && now - begin_ >= *timeout_) return Verdict::kTimedOut;
  if (!stepped_ && now - moved_ >= kSilentAfter) return Verdict::kSilent;
  return now - moved_ >= kStallAfter ? Verdict::kStalled : Verdict::kGoing;
}

std::uint64_t Progress::done_bytes(std::optional<std::uint64_t> actual) const noexcept {
  return actual ? whole_ - std::min(whole_, distance(*actual)) : 0;
}

std::uint64_t Progress::distance(std::uint64_t actual) const noexcept {
  return actual > target_ ? actual - target_ : target_ - actual;
}

}  // namespace vballoon::ctl
