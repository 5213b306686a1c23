// SPDX-License-Identifier: BSD-3-Clause
#include "policy/alarm.hpp"

#include <algorithm>

#include "policy/kept_value.hpp"

namespace vballoon::policy {
namespace {

/// A turn with host pressure raises the reserve by a quarter, to twice its size at most. Each
/// kForgets takes kForgotten percent off again.
constexpr std::uint64_t kStep = 25;
constexpr std::uint64_t kMost = 100;
constexpr Time kForgets{1000};
constexpr std::uint64_t kForgotten = 5;

}  // namespace

void Alarm::heed(const Observation& seen) noexcept {
  const auto scarce = [](const PoolObservation& pool) { return pool.available < 2 * pool.reserve; };
  if (seen.host_pressure > 0 && std::any_of(seen.pools.begin(), seen.pools.end(), scarce)) {
    percent_ = std::min(percent_ + kStep, kMost);
    at_ = seen.now;
    return;
  }
  if (seen.now < at_) at_ = seen.now;
  const auto spans = static_cast<std::uint64_t>((seen.now - at_) / kForgets);
  at_ += spans * kForgets;
  percent_ -= std::min(percent_, std::min<std::uint64_t>(spans, kMost) * kForgotten);
}

void Alarm::take_up(Time now) noexcept {
  percent_ = std::min(percent_, kMost);
  at_ = possible(at_, now);
}

}  // namespace vballoon::policy
