// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.hpp"

#include <utility>

namespace vballoon {

bool LogGate::open(std::uint64_t* dropped) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - window_start_ >= interval_) {
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
