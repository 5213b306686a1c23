// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_prefault.cpp - memory is put back for a guest only where its VM is charged
//                                     for it, and not the daemon.
#include <fmt/format.h>

#include <utility>

#include "gmem/memory_charge.hpp"
#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {

/// The wish outlives the VMM: with the next one it may have an effect.
Result<void> BalloonDevice::prefault(bool on) {
  wants_prefault_ = on;
  if (!on) path_.prefault(false);
  const auto lock = knock();
  if (!lock) return busy();
  settle_prefault();
  if (no_prefault_.empty()) return {};
  return fail(Code::kUnavailable,
              fmt::format("prefault has no effect for '{}': {}", spec_.name, no_prefault_));
}

/// The operator may move a VMM to another cgroup at any time. So the VMM's cgroup is read again
/// whenever pages may come back soon: with a memory table, a target, and this switch.
void BalloonDevice::settle_prefault() {
  const bool wanted = wants_prefault_;
  std::string why;
  if (wanted && memory_valid_) {
    for (const gmem::Region& region : path_.memory()->regions()) {
      const bool huge = region.backing.host_page > kPageSize;
      if (why.empty()) why = gmem::charged_elsewhere(connection_.process(), huge);
    }
  }
  path_.prefault(wanted && why.empty());
  if (std::exchange(no_prefault_, why) != why && !why.empty()) {
    warn(fmt::format("prefault has no effect: {}", why));
  }
}

}  // namespace vballoon::vhost
