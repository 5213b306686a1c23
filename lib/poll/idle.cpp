// SPDX-License-Identifier: BSD-3-Clause
#include "poll/idle.hpp"

#include <rte_pause.h>
#include <time.h>

#include <algorithm>

namespace vballoon::poll {
namespace {

/// A stock driver sends its next buffer within tens of microseconds of the last: worth waiting for.
constexpr std::uint32_t kSpinPasses = 2000;
constexpr std::uint32_t kFirstSleepUs = 20;
constexpr std::uint32_t kLongestSleepUs = 1000;

void sleep_for(std::uint32_t us) noexcept {
  const timespec duration{.tv_sec = 0, .tv_nsec = static_cast<long>(us) * 1000};
  ::nanosleep(&duration, nullptr);
}

}  // namespace

bool Idle::after_pass(bool worked) noexcept {
  if (worked) {
    empty_passes_ = 0;
    sleep_us_ = kFirstSleepUs;
    return false;
  }
  if (strategy_ == IdleStrategy::kSpin || ++empty_passes_ < kSpinPasses) {
    rte_pause();
    return false;
  }
  sleep_for(sleep_us_);
  sleep_us_ = std::clamp(sleep_us_ * 2, kFirstSleepUs, kLongestSleepUs);
  return true;
}

}  // namespace vballoon::poll
