// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/idle.hpp"

#include <rte_pause.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>

namespace vballoon::lcore {
namespace {

/// Some 10 us. On a host with few cores a longer spin takes the core from the guest that the lcore
/// waits for.
constexpr std::uint32_t kSpinPasses = 200;
/// A pause takes as long as a pass over a few rings (27 ns on EPYC). One pause in four passes is
/// enough to leave the core to its sibling thread.
constexpr std::uint32_t kPassesPerPause = 4;
constexpr std::uint32_t kFirstSleepUs = 20;
/// A slow guest's next buffer is up to milliseconds away, and a sleep may delay it by its whole
/// length. So sleeps stay short for some 20 ms before they grow.
constexpr std::uint32_t kShortSleeps = 256;
constexpr std::uint32_t kLongestSleepUs = 1000;

void sleep_for(std::uint32_t us) noexcept {
  const timespec duration{.tv_sec = 0, .tv_nsec = static_cast<long>(us) * 1000};
  ::nanosleep(&duration, nullptr);
}

}  // namespace

/// By default Linux may end a sleep 50 us late, which is more than twice the first sleep.
void Idle::begin() const noexcept {
  constexpr unsigned long kSlackNs = 1000;
  if (strategy_ == IdleStrategy::kBackoff) ::prctl(PR_SET_TIMERSLACK, kSlackNs, 0, 0, 0);
}

bool Idle::after_pass(Found found) noexcept {
  if (found == Found::kLone) return false;
  if (found == Found::kStream) {
    empty_passes_ = 0;
    sleep_us_ = kFirstSleepUs;
    return false;
  }
  ++empty_passes_;
  if (strategy_ == IdleStrategy::kSpin || empty_passes_ < kSpinPasses) {
    if (empty_passes_ % kPassesPerPause == 0) rte_pause();
    return false;
  }
  const bool grows = empty_passes_ - kSpinPasses > kShortSleeps;
  sleep_us_ = std::clamp(grows ? sleep_us_ * 2 : sleep_us_, kFirstSleepUs, kLongestSleepUs);
  sleep_for(sleep_us_);
  return true;
}

}  // namespace vballoon::lcore
