// SPDX-License-Identifier: BSD-3-Clause
#include "keep/boot_clock.hpp"

#include <ctime>

namespace vballoon::keep {

std::uint64_t boot_ms() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return 1 + static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace vballoon::keep
