// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_parts.hpp"

#include <utility>

namespace vballoon::vhost {

DeviceParts::DeviceParts(DeviceSpec settings, Seats& seats, MemoryClaims& claims,
                         const reclaim::ReclaimLimits& limits, const vm::Folder* folder)
    : spec(std::move(settings)),
      notices(spec.name),
      balloon(folder, spec.name, limits),
      target(balloon, session.guest, spec.bit_two(), notices),
      stats(balloon.path()),
      restart(balloon, session.guest, target, notices),
      attachment(seats, balloon.path()),
      prefault(spec.prefault, balloon.path(), session.memory, notices),
      memory(claims, session, balloon, restart, attachment, notices),
      log(session.log),
      rings({spec.bit_two(), session, slot, balloon, target, stats, restart, attachment, log,
             notices}) {
  balloon.path().report(spec.reporting);
}

void DeviceParts::let_go() {
  rings.stop_all();
  if (session.memory.lost) balloon.state().forget();
  memory.unwatch();
  log.forget();
  balloon.release();
  memory.release();
  stats.release();
  session = {};
  target.release();
  slot.vacate();
}

void DeviceParts::give_up_lost_memory() {
  if (!memory_lost() || std::exchange(session.memory.lost, true)) return;
  rings.stop_all();
  notices.warn(kMemoryLost);
}

/// A VMM is told only while the inflate queue runs: before, QEMU's generic device has no virtio
/// device to ask, and crashes. A driver that starts later reads the target by itself.
void DeviceParts::notify_if_due() {
  if (!target.notifies() || !balloon.path().running(wire::Role::kInflate)) return;
  if (session.channel.notify_config_change() != BackendChannel::Sent::kLater) target.notified();
}

}  // namespace vballoon::vhost
