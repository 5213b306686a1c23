// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_prefault.cpp - whether memory may be put back for a guest: only where its VM
//                                     pays for it, and not the daemon for all VMs.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "balloon_device.hpp"
#include "gmem/memory_charge.hpp"

namespace vballoon::vhost {

/// The wish counts for the next VMM, too, whatever becomes of it with this one.
Result<void> BalloonDevice::prefault(bool on) {
  const auto lock = knock();
  if (!lock) return busy();
  wants_prefault_ = on;
  settle_prefault();
  if (no_prefault_.empty()) return {};
  return fail(Code::kUnavailable,
              fmt::format("prefault has no effect for '{}': {}", spec_.name, no_prefault_));
}

/// A VMM may be moved to another cgroup at any time: asked whenever its pages may come back soon.
void BalloonDevice::settle_prefault() {
  std::string why;
  if (wants_prefault_ && memory_valid_) {
    const auto& regions = path_.memory()->regions();
    const auto is_huge = [](const gmem::Region& region) {
      return region.backing.host_page > kPageSize;
    };
    for (const bool huge : {false, true}) {
      const bool any = std::any_of(regions.begin(), regions.end(), [&](const gmem::Region& region) {
        return is_huge(region) == huge;
      });
      if (any && why.empty()) why = gmem::charged_elsewhere(connection_.process(), huge);
    }
  }
  path_.prefault(wants_prefault_ && why.empty());
  if (std::exchange(no_prefault_, why) != why && !why.empty()) {
    warn(fmt::format("prefault has no effect: {}", why));
  }
}

}  // namespace vballoon::vhost
