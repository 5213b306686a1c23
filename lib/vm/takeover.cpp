// SPDX-License-Identifier: BSD-3-Clause
#include "vm/takeover.hpp"

#include <bit>

namespace vballoon::vm {
namespace {

/// Where a ring goes on, by the marks that were left.
struct Place {
  std::uint16_t position = 0;
  bool ours = false;  // the marks, or the base, say that our ledger was left there
  bool sure = false;  // the ring shows it as well
};

/// Whether both marks can be of one ring: one process wrote them, one after the other, so they are
/// at most one step apart.
bool of_one_ring(const virtq::Mark& one, const virtq::Mark& other) noexcept {
  return one.published == other.published || one.about == other.about;
}

/// Whether our mark and the claim are of one ring. The claim is the front end's mark, or else the
/// base.
bool agree(const MarksLeft& left, std::uint16_t base) noexcept {
  if (left.theirs) return of_one_ring(*left.theirs, *left.ours);
  return base == left.ours->published || base == left.ours->about;
}

std::optional<Place> place_left(const MarksLeft& left, const virtq::QueueAreas& areas,
                                std::uint16_t base, const gmem::GuestMemory& memory) noexcept {
  // The driver of a front end that keeps marks, and has no mark of this ring, is a new one.
  if (left.front_end_keeps && !left.theirs) return std::nullopt;
  if (left.ours && agree(left, base)) {
    const auto found = virtq::recover(areas, *left.ours, memory);
    if (found) return Place{found->position, true, found->sure};
  }
  const auto found = left.theirs ? virtq::recover(areas, *left.theirs, memory) : std::nullopt;
  return found ? std::optional(Place{found->position, false, false}) : std::nullopt;
}

/// A driver that was reset begins with a ring that looks unused. A driver that was only paused goes
/// on where its ring was stopped. At the position where rings begin both may be true; then the ring
/// is resumed only if it stood still for no longer than one message takes.
RingStart start_after_stop(const RingState& ring, const virtq::Standing& now) noexcept {
  const bool ours = ring.stopped_at() == now.position;
  return {now.position, now.unused, ours, ours && (!now.unused || ring.suspended())};
}

}  // namespace

std::optional<virtq::Mark> mark_of(const std::optional<RingRecord>& record,
                                   std::uint32_t layout) noexcept {
  if (!record || record->layout != layout) return std::nullopt;
  return std::bit_cast<virtq::Mark>(record->mark);
}

RingStart find_start(const RingState& ring, const MarksLeft& left, const virtq::QueueAreas& areas,
                     std::uint16_t base, const gmem::GuestMemory& memory) noexcept {
  const virtq::Standing now = virtq::look_at(areas, base, memory);
  if (ring.begun()) return start_after_stop(ring, now);
  const auto place = place_left(left, areas, now.position, memory);
  if (!place) return {now.position, now.unused};
  const virtq::Standing there = virtq::look_at(areas, place->position, memory);
  return {there.position, there.unused, place->ours, place->ours && place->sure && !there.unused};
}

/// A reset is a reset of all rings. A companion on which nothing came yet (a deflate ring on which
/// no page came back, say) begins like a new driver's, and says nothing against the ring by which
/// pages enter. Nor does one that was about to be started for the first time when the earlier
/// daemon ended.
Verdict judge(const Evidence& evidence) noexcept {
  const auto& [same_features, companion_began, entrance, companion] = evidence;
  if (!same_features || !entrance || !companion) return Verdict::kAnother;
  const bool silent = companion->unused && (companion->ours || !companion_began);
  if (!companion->resumed && !silent) return Verdict::kAnother;
  if (entrance->resumed) return Verdict::kSameDriver;
  return entrance->ours && entrance->unused ? Verdict::kSameOrNew : Verdict::kAnother;
}

}  // namespace vballoon::vm
