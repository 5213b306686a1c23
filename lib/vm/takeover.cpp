// SPDX-License-Identifier: BSD-3-Clause
#include "vm/takeover.hpp"

#include <bit>

namespace vballoon::vm {
namespace {

/// Where a ring goes on by what was left.
struct Place {
  std::uint16_t position = 0;
  bool ours = false;  // where our ledger was left, by what is said
  bool sure = false;  // and by what the ring shows
};

/// Both were written by one process, one after the other: they are at most one step apart.
bool of_one_ring(const virtq::Mark& one, const virtq::Mark& other) noexcept {
  return one.published == other.published || one.about == other.about;
}

/// The claim, the front end's or else the base, and our mark are of one ring.
bool agree(const MarksLeft& left, std::uint16_t base) noexcept {
  if (left.theirs) return of_one_ring(*left.theirs, *left.ours);
  return base == left.ours->published || base == left.ours->about;
}

std::optional<Place> place_left(const MarksLeft& left, const virtq::QueueAreas& areas,
                                std::uint16_t base, const gmem::GuestMemory& memory) noexcept {
  // A front end that keeps marks and has none of this ring: its driver is a new one.
  if (left.front_end_keeps && !left.theirs) return std::nullopt;
  if (left.ours && agree(left, base)) {
    const auto found = virtq::recover(areas, *left.ours, memory);
    if (found) return Place{found->position, true, found->sure};
  }
  const auto found = left.theirs ? virtq::recover(areas, *left.theirs, memory) : std::nullopt;
  return found ? std::optional(Place{found->position, false, false}) : std::nullopt;
}

/// A driver that was reset begins with a ring that looks unused; one that was only paused goes on
/// where it was stopped. Both may be true of the position where rings begin, but for a ring that
/// stood still only for the length of one message.
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

/// A reset is one of all rings. A deflate ring on which nothing came back yet begins as a new
/// driver's does, and says nothing against the inflate ring; nor does one that was about to be
/// started for the first time when the earlier daemon ended.
Verdict judge(const Evidence& evidence) noexcept {
  const auto& [same_features, deflate_began, inflate, deflate] = evidence;
  if (!same_features || !inflate || !deflate) return Verdict::kAnother;
  const bool silent = deflate->unused && (deflate->ours || !deflate_began);
  if (!deflate->resumed && !silent) return Verdict::kAnother;
  if (inflate->resumed) return Verdict::kSameDriver;
  return inflate->ours && inflate->unused ? Verdict::kSameOrNew : Verdict::kAnother;
}

}  // namespace vballoon::vm
