// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/ring_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace vballoon::vhost {

using wire::Role;

RingControl::RingControl(const Parts& parts)
    : parts_(parts), calls_(parts.balloon.path().counters(), parts.notices) {}

void RingControl::announced(unsigned index, bool ready) {
  if (index >= rings().size()) return;
  vm::RingState& ring = rings()[index];
  if (ready) {
    ring.announce();
    if (ring.ready()) start(index);
  } else {
    stop(index);
    ring.withdraw();
  }
  parts_.attachment.hand_over();
}

bool RingControl::may_serve() const noexcept {
  const SharedMemory& memory = parts_.session.memory;
  return memory.table == SharedMemory::Table::kTaken && !memory.lost && !parts_.session.restores &&
         parts_.blame.standing() == Blame::Standing::kServed;
}

/// @post if the ring was started, the data path is off its lcore
void RingControl::start(unsigned index) {
  const vm::Guest& guest = parts_.session.guest;
  if (!may_serve() || rings()[index].served()) return;
  if (!guest.acked.has(wire::Feature::kVersion1)) return warn_of_legacy();
  if (guest.takeover.undecided()) return decide();
  if (waits_for_entrance(index)) return;
  const auto role =
      wire::role_of_queue(index, guest.acked, vm::gap_below(rings(), index), parts_.dialect);
  const auto found = find(index);
  if (!role || !found || path().running(*role)) return;
  serve(index, *role, *found);
}

/// Starts the rings that waited for decide().
void RingControl::start_waiting() {
  for_each_in_order([this](unsigned index) {
    if (rings()[index].ready()) start(index);
  });
}

/// Requests go to a driver of device 13 only when its other ring has told whose balloon it is: by
/// the ring of requests, of which nothing may have been used yet, nobody could tell.
bool RingControl::waits_for_entrance(unsigned index) noexcept {
  if (parts_.dialect != wire::Dialect::kLarge) return false;
  const wire::MainQueue first = wire::entrance(parts_.dialect);
  return index != first.ring && !path().running(first.role);
}

void RingControl::decide() {
  const unsigned entrance = wire::entrance(parts_.dialect).ring;
  const unsigned companion = wire::companion(parts_.dialect).ring;
  if (!rings()[entrance].ready() || !rings()[companion].ready()) return;
  const auto start_of = [](const Found& found) { return found.start; };
  parts_.restart.decide(find(entrance).transform(start_of), find(companion).transform(start_of));
  start_waiting();
}

std::optional<RingControl::Found> RingControl::find(unsigned index) const {
  const vm::Guest& guest = parts_.session.guest;
  const bool packed = guest.acked.has(wire::Feature::kRingPacked);
  const auto vring = describe_vring(*parts_.slot.vid(), index, packed);
  if (!vring) return std::nullopt;
  return Found{*vring, vm::find_start(guest.rings[index], marks_left(index), vring->areas,
                                      vring->base, *parts_.balloon.path().memory())};
}

vm::MarksLeft RingControl::marks_left(unsigned index) const noexcept {
  const InflightRegion& inflight = parts_.session.inflight;
  const vm::Guest& guest = parts_.session.guest;
  const std::uint32_t layout = vm::ring_layout(guest.acked);
  const vm::Left* const left = guest.takeover.left();
  return {left != nullptr ? vm::mark_of(left->rings[index], layout) : std::nullopt,
          vm::mark_of(inflight.left(index), layout), inflight.present()};
}

void RingControl::serve(unsigned index, Role role, const Found& found) {
  const vm::RingState& ring = rings()[index];
  const bool suspended = ring.suspended();
  parts_.attachment.take_back();
  // A reset shows at the ring by which pages enter, and at the ring that starts first. As soon as
  // any ring is served, pages of the window are discarded; after a reset the new driver may use
  // them.
  const bool enters = role == wire::entrance(parts_.dialect).role;
  const bool tells = enters || !path().any_running();
  if (tells && !found.start.resumed) parts_.restart.meet_driver(ring, found.start);
  if (role == parts_.stats.role()) parts_.stats.start(found.start.resumed);
  if (auto started = path().start(role, setup_of(index, found)); !started) {
    return parts_.notices.warn(fmt::format("queue {} ({}) is not served: {}", index,
                                           wire::role_name(role), started.error().message));
  }
  note_begun(index, role);
  if (!enters) return;
  parts_.session.guest.resident_then.reset();
  // A new driver reads its target by itself. A driver that goes on and has not inflated yet looks
  // like a new one. So a driver that looks new is told as well, unless its target is 0.
  const bool reads = found.start.unused && parts_.balloon.config().num_pages() == 0;
  if (!suspended && !reads) parts_.target.tell();
  if (parts_.dialect == wire::Dialect::kLarge) start_waiting();
}

datapath::QueueSetup RingControl::setup_of(unsigned index, const Found& found) {
  datapath::QueueSetup setup;
  setup.index = index;
  setup.areas = found.vring.areas;
  setup.position = found.start.position;
  setup.call_fd = calls_.judge(index, found.vring.call_fd);
  if (parts_.session.guest.acked.has(wire::Feature::kLogAll)) setup.log = parts_.log.log();
  setup.resumed = found.start.resumed;
  setup.marks = marks_of(index);
  setup.serial = parts_.balloon.state().serial();
  return setup;
}

/// @return the words in which the ring marks its position from now on.
virtq::MarkWords RingControl::marks_of(unsigned index) noexcept {
  const auto word = [](vm::RingRecord* record) {
    return record != nullptr ? &record->mark : nullptr;
  };
  return {{word(parts_.session.inflight.ring(index)), word(parts_.balloon.state().ring(index))}};
}

/// @pre the ring's mark is stored
void RingControl::note_begun(unsigned index, Role role) noexcept {
  rings()[index].start(role);
  const std::uint32_t layout = vm::ring_layout(parts_.session.guest.acked);
  for (vm::RingRecord* const record :
       {parts_.session.inflight.ring(index), parts_.balloon.state().ring(index)}) {
    if (record != nullptr) __atomic_store_n(&record->layout, layout, __ATOMIC_RELEASE);
  }
  if (vm::RingRecord* const record = parts_.balloon.state().ring(index)) {
    __atomic_store_n(&record->generation, rings()[index].generation(), __ATOMIC_RELEASE);
  }
  parts_.restart.note_begun();
}

/// Warns once a connection: the driver will not change its features, and has five rings.
void RingControl::warn_of_legacy() {
  if (std::exchange(parts_.session.told_of_legacy, true)) return;
  parts_.notices.warn(kLegacy);
}

/// @return where the ring goes on. @pre the ring is served, and the data path is off its lcore
std::uint16_t RingControl::halt(unsigned index) {
  const Role role = rings()[index].role();
  const std::uint16_t position = path().stop(role);
  if (role == wire::entrance(parts_.dialect).role) {
    parts_.session.guest.resident_then = gmem::resident_bytes(*path().memory());
  }
  tell_position(*parts_.slot.vid(), index, position);
  return position;
}

void RingControl::stop(unsigned index) {
  if (index >= rings().size() || !rings()[index].served()) return;
  parts_.attachment.take_back();
  rings()[index].stop(halt(index));
  parts_.attachment.hand_over();
}

/// Before librte_vhost knows of it, which tells of it only after an answer: the driver may free the
/// ring then.
void RingControl::disable(unsigned index) {
  stop(index);
  if (index < rings().size()) rings()[index].withdraw();
}

void RingControl::renew(unsigned index) {
  end(index);
  if (index < rings().size()) rings()[index].renew();
}

bool RingControl::take_up(unsigned index, const KeptRing& kept,
                          const std::optional<vm::RingRecord>& left) {
  vm::RingState::Past past{kept.generation, kept.begun, kept.over, false, {}};
  if (kept.stopped) past.stopped_at = kept.stopped_at;
  const bool marked = left && left->generation == kept.generation;
  const auto mark =
      marked ? vm::mark_of(left, vm::ring_layout(parts_.session.guest.acked)) : std::nullopt;
  if (mark) {
    past.begun = true;
    past.served = !kept.over;
    past.stopped_at = place_of(index, *mark);
    if (!past.stopped_at) return false;
  }
  rings()[index].take_up(past);
  return true;
}

/// A ring that its front end took away was stopped before, and may be other memory by now.
std::optional<std::uint16_t> RingControl::place_of(unsigned index, const virtq::Mark& mark) {
  if (!rings()[index].ready() || path().memory() == nullptr) return mark.published;
  const bool packed = parts_.session.guest.acked.has(wire::Feature::kRingPacked);
  const auto vring = describe_vring(*parts_.slot.vid(), index, packed);
  if (!vring) return mark.published;
  const auto found = virtq::recover(vring->areas, mark, *path().memory());
  if (!found) return std::nullopt;
  tell_position(*parts_.slot.vid(), index, found->position);
  return found->position;
}

void RingControl::stop_all() {
  parts_.attachment.take_back();
  for (vm::RingState& ring : rings()) {
    if (ring.served()) ring.stop(path().stop(ring.role()));
  }
}

void RingControl::suspend(unsigned index) {
  if (index >= rings().size() || !rings()[index].served()) return;
  parts_.attachment.take_back();
  rings()[index].suspend(halt(index));
  parts_.attachment.hand_over();
}

void RingControl::suspend_all() {
  parts_.attachment.take_back();
  for (unsigned index = 0; index < rings().size(); ++index) {
    if (rings()[index].served()) rings()[index].suspend(halt(index));
  }
}

void RingControl::resume() {
  for_each_in_order([this](unsigned index) {
    if (!rings()[index].suspended()) return;
    if (rings()[index].ready()) start(index);
    rings()[index].settle();
  });
  // Rings that waited for decide() start as well: a new memory table may have settled whose balloon
  // it is.
  start_waiting();
  parts_.attachment.hand_over();
}

void RingControl::end(unsigned index) {
  if (index >= rings().size() || !rings()[index].ready()) return;
  stop(index);
  rings()[index].end();
}

void RingControl::end_all() {
  parts_.attachment.take_back();
  for (unsigned index = 0; index < rings().size(); ++index) {
    if (rings()[index].served()) rings()[index].stop(halt(index));
    rings()[index].end();
  }
}

void RingControl::forget_positions() noexcept {
  for (vm::RingState& ring : rings()) ring.forget_position();
}

}  // namespace vballoon::vhost
