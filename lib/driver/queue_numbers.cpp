// SPDX-License-Identifier: BSD-3-Clause
#include "driver/queue_numbers.hpp"

namespace vballoon::driver {

QueueNumbers number_queues(wire::Features acked, Numbering scheme, bool messages) noexcept {
  using wire::Feature;
  static constexpr std::array<unsigned, kStockRoles> kFixed{0, 1, 2, 3, 4, 3};
  const std::array<bool, kStockRoles> present{true,
                                              true,
                                              acked.has(Feature::kStatsVq),
                                              !messages && acked.has(Feature::kFreePageHint),
                                              !messages && acked.has(Feature::kReporting),
                                              messages && acked.has(Feature::kDeflateOnOom)};
  QueueNumbers numbers;
  unsigned next = 0;
  for (unsigned role = 0; role < kStockRoles; ++role) {
    if (present[role]) numbers[role] = scheme == Numbering::kSpec ? kFixed[role] : next++;
  }
  return numbers;
}

QueueNumbers large_queue_numbers() noexcept {
  QueueNumbers numbers;
  numbers[static_cast<std::size_t>(Role::kFromDevice)] = 0;
  numbers[static_cast<std::size_t>(Role::kToDevice)] = 1;
  return numbers;
}

}  // namespace vballoon::driver
