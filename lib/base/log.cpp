// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace vballoon {
namespace {

using Duration = std::chrono::steady_clock::duration;

/// Of intervals, how long a flood has to wait in the end.
constexpr int kLongest = 64;

}  // namespace

bool LogGate::open(std::uint64_t* dropped) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - window_start_ >= window_) {
    const bool went_on = in_window_ >= per_interval_ && now - window_start_ < 2 * window_;
    window_ = went_on ? std::min<Duration>(2 * window_, kLongest * interval_) : interval_;
    window_start_ = now;
    in_window_ = 0;
  }
  if (in_window_ >= per_interval_) {
    ++dropped_;
    return false;
  }
  ++in_window_;
  *dropped = std::exchange(dropped_, 0);
  return true;
}

}  // namespace vballoon
