// SPDX-License-Identifier: BSD-3-Clause
#include "vm/guest_stats.hpp"

#include "base/clock.hpp"

namespace vballoon::vm {

void GuestStats::start(bool resumed) noexcept {
  if (resumed) return patience_.start_over(now_ms());
  path_.forget_stats();
  patience_.forget();
}

void GuestStats::request() noexcept {
  patience_.asked(path_.stats().sequence(), now_ms());
  path_.request_stats();
}

std::uint64_t GuestStats::waiting_ms(std::uint64_t now_ms) const noexcept {
  if (!path_.running(role_)) return 0;
  return patience_.waiting_ms(path_.stats().sequence(), now_ms);
}

}  // namespace vballoon::vm
