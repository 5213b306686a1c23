// SPDX-License-Identifier: BSD-3-Clause
#include "driver/queue_numbers.hpp"

namespace vballoon::driver {

QueueNumbers number_queues(balloon::Features acked, Numbering scheme) noexcept {
  using balloon::Feature;
  const std::array<bool, kRoles> present{true, true, acked.has(Feature::kStatsVq),
                                         acked.has(Feature::kFreePageHint),
                                         acked.has(Feature::kReporting)};
  QueueNumbers numbers;
  unsigned next = 0;
  for (unsigned role = 0; role < kRoles; ++role) {
    if (present[role]) numbers[role] = scheme == Numbering::kSpec ? role : next++;
  }
  return numbers;
}

}  // namespace vballoon::driver
