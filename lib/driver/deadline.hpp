// SPDX-License-Identifier: BSD-3-Clause
//
// driver/deadline.hpp - the moment at which waiting turns into an error.
#pragma once

#include <algorithm>
#include <chrono>

namespace vballoon::driver {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Deadline(std::chrono::nanoseconds from_now) noexcept
      : at_(Clock::now() + std::chrono::duration_cast<Clock::duration>(from_now)) {}

  [[nodiscard]] bool passed() const noexcept { return Clock::now() >= at_; }

  /// For poll(2): rounded up, so that a wait of this length ends behind the deadline.
  [[nodiscard]] int remaining_ms() const noexcept {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 1'000'000));
  }

  /// Whichever comes first: this one, or so long from now.
  [[nodiscard]] Deadline or_after(std::chrono::nanoseconds slice) const noexcept {
    Deadline soon(slice);
    soon.at_ = std::min(soon.at_, at_);
    return soon;
  }

 private:
  Clock::time_point at_;
};

}  // namespace vballoon::driver
