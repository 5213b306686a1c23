// SPDX-License-Identifier: BSD-3-Clause
#include "policy/claimed_counter.hpp"

#include <algorithm>

namespace vballoon::policy {
namespace {

/// A longer time between two samples counts as one day.
constexpr Time kLongest{24 * 3600 * 1000};

/// @return  the largest possible rise since then. After a clock that jumped back: that of a second.
std::uint64_t most_since(Time since, Time now, std::uint64_t most_a_second) noexcept {
  const Time span = std::clamp(now - since, Time(1000), kLongest);
  const auto seconds = static_cast<std::uint64_t>((span + Time(999)) / Time(1000));
  return most_a_second > UINT64_MAX / seconds ? UINT64_MAX : most_a_second * seconds;
}

}  // namespace

ClaimedCounter::Step ClaimedCounter::see(std::optional<std::uint64_t> value, Time now,
                                         std::uint64_t most_a_second) noexcept {
  if (!value) return {};
  const Point point{*value, now};
  const auto follows = [&](const Point& from) {
    return from.when && *value >= from.value &&
           *value - from.value <= most_since(*from.when, now, most_a_second);
  };
  Step step;
  if (follows(last_)) {
    step.rise = *value - last_.value;
  } else if (follows(doubtful_)) {
    step.rise = *value - doubtful_.value;
  } else if (last_.when) {
    step.doubt = *value < last_.value ? Doubt::kFell : Doubt::kLeapt;
    doubtful_ = point;
    return step;
  }
  last_ = point;
  doubtful_.when.reset();
  return step;
}

void ClaimedCounter::take_up(Time now) noexcept {
  last_.when.doubt(now);
  doubtful_.when.doubt(now);
}

}  // namespace vballoon::policy
