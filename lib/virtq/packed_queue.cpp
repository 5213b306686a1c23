// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/packed_queue.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/check.hpp"
#include "virtq/shared_memory.hpp"

namespace vballoon::virtq {
namespace {

/// A chain may be as long as the ring. Looking for its end is work of a pass like any other, so
/// one call does as much of it as a pass may spend on descriptors.
constexpr unsigned kScanPerPop = 1024;

Result<void> check(const PackedAreas& areas, unsigned index, const gmem::GuestMemory& memory) {
  if (areas.size == 0 || areas.size > wire::kMaxQueueSize) {
    return fail(Code::kInvalidArgument,
                fmt::format("queue size {} is not in [1, {}]", areas.size, wire::kMaxQueueSize));
  }
  if (index >= areas.size) {
    return fail(Code::kInvalidArgument,
                fmt::format("a base of {} in a ring of {} descriptors", index, areas.size));
  }
  if (!aligned(areas.descriptors, 16) || !aligned(areas.driver_event, 4) ||
      !aligned(areas.device_event, 4)) {
    return fail(Code::kInvalidArgument, "a ring area is not aligned as VIRTIO 1.2, 2.8.10 demands");
  }
  if (!memory.maps(areas.descriptors, sizeof(wire::PackedDescriptor) * areas.size) ||
      !memory.maps(areas.driver_event, sizeof(wire::EventSuppression)) ||
      !memory.maps(areas.device_event, sizeof(wire::EventSuppression))) {
    return fail(Code::kInvalidArgument, "a ring area is not inside guest memory");
  }
  return {};
}

}  // namespace

Result<PackedQueue> PackedQueue::open(const PackedAreas& areas, std::uint16_t position,
                                      const gmem::GuestMemory& memory) {
  const auto index = static_cast<std::uint16_t>(position & ~wire::kPositionWrap);
  if (auto good = check(areas, index, memory); !good) return tl::unexpected(good.error());
  PackedQueue queue;
  queue.descriptors_ = areas.descriptors;
  queue.driver_event_ = areas.driver_event;
  queue.device_event_ = areas.device_event;
  queue.size_ = areas.size;
  queue.next_avail_ = index;
  queue.next_used_ = index;
  queue.avail_wrap_ = (position & wire::kPositionWrap) != 0;
  queue.used_wrap_ = queue.avail_wrap_;
  queue.published_ = position;
  return queue;
}

std::size_t PackedQueue::pop(std::span<Head> out) noexcept {
  if (fault_ != QueueFault::kNone) return 0;
  unsigned budget = kScanPerPop;
  std::size_t popped = 0;
  while (popped < out.size() && scan_chain(&budget, &out[popped]) == Scan::kHead) ++popped;
  return popped;
}

/// Finds the end of the chain at next_avail_, and takes it. Of the flags only AVAIL, USED and NEXT
/// are judged here, and only here: a walk judges the others, so no bit is read for two decisions.
PackedQueue::Scan PackedQueue::scan_chain(unsigned* budget, Head* out) noexcept {
  for (;;) {
    const unsigned ahead = next_avail_ + scanned_;
    const bool wraps = ahead >= size_;
    const unsigned index = wraps ? ahead - size_ : ahead;
    const std::uint16_t flags = load_flags(index);
    if (!available(flags, avail_wrap_ != wraps)) {
      return scanned_ == 0 ? Scan::kNothing : stop(QueueFault::kChainNotAvailable);
    }
    // What is held here is not the driver's, whatever it makes of the flags.
    if (outstanding() + scanned_ == size_) return stop(QueueFault::kAvailNotUsed);
    if (*budget == 0) return Scan::kNothing;
    --*budget;
    ++scanned_;
    if ((flags & wire::kDescNext) != 0) continue;
    // 2.8.6: the buffer's id is in its last descriptor. Any will do: it is given back as it came.
    *out = Head{load16(at(index) + offsetof(wire::PackedDescriptor, id), __ATOMIC_RELAXED),
                next_avail_, scanned_};
    outstanding_ += scanned_;
    scanned_ = 0;
    next_avail_ = static_cast<std::uint16_t>(index + 1 == size_ ? 0 : index + 1);
    avail_wrap_ ^= wraps || index + 1 == size_;
    return Scan::kHead;
  }
}

PackedQueue::Scan PackedQueue::stop(QueueFault fault) noexcept {
  fault_ = fault;
  scanned_ = 0;
  return Scan::kNothing;
}

void PackedQueue::stage(Head head, std::uint32_t written) noexcept {
  VB_CHECK(head.count != 0 && head.count <= outstanding_ && head.first == next_used_);
  std::byte* const slot = at(next_used_);
  const std::uint16_t here = next_used();
  const std::uint16_t used = wire::used_bits(used_wrap_);
  const unsigned next = unsigned{next_used_} + head.count;
  used_wrap_ ^= next >= size_;
  next_used_ = static_cast<std::uint16_t>(next >= size_ ? next - size_ : next);
  // Before the descriptor is overwritten: from then on nobody could take the buffer again.
  last_staged_ = here;
  last_id_ = head.id;
  mark_.store({published_, next_used(), last_staged_, last_id_});
  const std::uint16_t wrote =
      written != 0 ? wire::kDescWrite : 0;  // 2.8.7.1: len counts only with it
  const auto flags = static_cast<std::uint16_t>(used | wrote);
  std::memcpy(slot + offsetof(wire::PackedDescriptor, len), &written, sizeof(written));
  std::memcpy(slot + offsetof(wire::PackedDescriptor, id), &head.id, sizeof(head.id));
  if (staged_ == 0) {
    first_staged_ = static_cast<std::uint16_t>(here & ~wire::kPositionWrap);
    staged_flags_ = flags;
  } else {
    store16(slot + offsetof(wire::PackedDescriptor, flags), flags, __ATOMIC_RELEASE);
  }
  ring_log_.wrote(static_cast<std::size_t>(slot - descriptors_), sizeof(wire::PackedDescriptor));
  outstanding_ -= head.count;
  staged_ += head.count;
}

bool PackedQueue::publish() noexcept {
  if (staged_ == 0) return false;
  staged_ = 0;
  // Pairs with the driver's acquire of these flags: the descriptor's other fields, and all those
  // staged behind it. Sequentially consistent, as is the load below: the flags must be visible
  // before the driver's wish is read, else a driver that enables events and looks at the ring in
  // between sleeps for ever (2.8.22.1).
  store16(at(first_staged_) + offsetof(wire::PackedDescriptor, flags), staged_flags_,
          __ATOMIC_SEQ_CST);
  ring_log_.wrote(std::size_t{first_staged_} * sizeof(wire::PackedDescriptor),
                  sizeof(wire::PackedDescriptor));
  published_ = next_used();
  mark_.store({published_, published_, last_staged_, last_id_});
  const std::uint16_t events =
      load16(driver_event_ + offsetof(wire::EventSuppression, flags), __ATOMIC_SEQ_CST);
  return (events & wire::kEventsMask) != wire::kEventsDisable;
}

void PackedQueue::disable_kicks() noexcept {
  store16(device_event_ + offsetof(wire::EventSuppression, flags), wire::kEventsDisable,
          __ATOMIC_RELEASE);
  event_log_.wrote(0, sizeof(wire::EventSuppression));
}

void PackedQueue::log_writes(DirtyLog log, const gmem::GuestMemory& memory) noexcept {
  ring_log_ = LoggedArea(log, memory.address_of(descriptors_));
  event_log_ = LoggedArea(log, memory.address_of(device_event_));
  // Also what recover() may have written, before there was a log.
  ring_log_.wrote(0, std::size_t{size_} * sizeof(wire::PackedDescriptor));
}

std::uint16_t PackedQueue::position() const noexcept {
  VB_CHECK(staged_ == 0);
  return next_used();
}

void PackedQueue::keep_mark(const MarkWords& words) noexcept {
  mark_ = words;
  mark_.begin({published_, published_, published_, 0});
}

}  // namespace vballoon::virtq
