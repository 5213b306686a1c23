// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_parts.hpp"

#include <utility>

#include "vhost/exchanges.hpp"

namespace vballoon::vhost {
namespace {

reclaim::ReclaimLimits limits_of(const DeviceSpec& spec, reclaim::ReclaimLimits limits) noexcept {
  limits.sizes = spec.page_shifts();
  return limits;
}

}  // namespace

DeviceParts::DeviceParts(DeviceSpec settings, Seats& seats, MemoryClaims& claims,
                         const reclaim::ReclaimLimits& limits, const vm::Folder* folder)
    : spec(std::move(settings)),
      notices(spec.name),
      kept(spec.name, notices),
      balloon(folder, spec.name, limits_of(spec, limits), spec.large_config()),
      target(balloon, session.guest, spec.dialect(), notices),
      stats(balloon.path(), wire::statistics(spec.dialect())),
      restart(balloon, session.guest, target, notices, spec.dialect()),
      attachment(seats, balloon.path()),
      prefault(spec.prefault, balloon.path(), session.memory, notices),
      memory(claims, session, balloon, restart, attachment, notices),
      log(session.log),
      rings({spec.dialect(), session, slot, blame, balloon, target, stats, restart, attachment, log,
             notices}) {
  balloon.path().report(spec.reporting);
  balloon.path().set_effort(static_cast<wire::large::Effort>(spec.effort));
}

void DeviceParts::keep() {
  if (!kept.on() || !slot.taken()) return;
  const keep::Exchange* const exchange = find_exchange(slot.connection().number());
  if (exchange == nullptr) return;
  Record record;
  record.device = spec.name;
  const bool marks = balloon.path().memory() == nullptr || balloon.state().ring(0) != nullptr;
  record.state_inode = marks ? balloon.state().inode() : 0;
  record.undecided = undecided();
  record.ends_unsaid = session.ends_unsaid;
  record.ledger_whole = session.guest.ledger_whole;
  for (unsigned index = 0; index < wire::kQueues; ++index) {
    const vm::RingState& ring = session.guest.rings[index];
    const auto stopped_at = ring.stopped_at();
    record.rings[index] = {ring.generation(), stopped_at.value_or(0), ring.begun(),
                           stopped_at.has_value(), ring.over()};
  }
  kept.put(std::move(record), slot.connection().fd(), exchange->answers());
  balloon.state().drop_elder();
}

void DeviceParts::keep_if_changed() {
  if (kept.differs(undecided(), session.guest.ledger_whole)) keep();
}

/// Whether the state file may be of another guest.
bool DeviceParts::undecided() const noexcept {
  return balloon.path().memory() == nullptr || session.guest.takeover.undecided();
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
  if (!target.notifies() || !balloon.path().running(wire::entrance(spec.dialect()).role)) {
    return;
  }
  if (session.channel.notify_config_change() != BackendChannel::Sent::kLater) target.notified();
}

}  // namespace vballoon::vhost
