// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/queue.hpp"

#include "base/copy_once.hpp"
#include "virtq/readable.hpp"

namespace vballoon::virtq {
namespace {

/// Whether index 0 is where the first lap begins, not the second: that one would have left AVAIL
/// set in the last descriptor, or the driver USED, which it makes available then. The first
/// descriptor would not tell, for in the middle of a chain it keeps what an earlier lap wrote.
bool first_lap(const wire::PackedDescriptor& last) noexcept {
  return last.flags == 0;
}

/// A ring is all zero before its first use (2.8.13). One that was used for an even number of laps
/// is at the same place, but its last descriptor was written to, without AVAIL. Where the driver
/// has made all of the ring available nothing can be told.
bool never_used(const wire::PackedDescriptor& last) noexcept {
  const bool zero = last.addr == 0 && last.len == 0 && last.id == 0 && last.flags == 0;
  return zero || (last.flags & wire::kPackedAvail) != 0;
}

Standing look_at_packed(const PackedAreas& areas, std::uint16_t position) noexcept {
  const auto last = load_once<wire::PackedDescriptor>(
      areas.descriptors + sizeof(wire::PackedDescriptor) * (areas.size - 1));
  if (position == 0 && first_lap(last)) position = wire::kPackedBegin;
  return {position, position == wire::kPackedBegin && never_used(last)};
}

}  // namespace

std::array<GpaRange, 3> ranges_of(const QueueAreas& areas,
                                  const gmem::GuestMemory& memory) noexcept {
  const auto range = [&memory](const std::byte* at, std::uint64_t bytes) {
    return GpaRange{memory.address_of(at), bytes};
  };
  if (const auto* const packed = std::get_if<PackedAreas>(&areas)) {
    return {range(packed->descriptors, sizeof(wire::PackedDescriptor) * packed->size),
            range(packed->driver_event, sizeof(wire::EventSuppression)),
            range(packed->device_event, sizeof(wire::EventSuppression))};
  }
  const SplitAreas& split = *std::get_if<SplitAreas>(&areas);
  return {range(split.descriptors, wire::descriptor_table_bytes(split.size)),
          range(split.avail, wire::avail_ring_bytes(split.size)),
          range(split.used, wire::used_ring_bytes(split.size))};
}

Standing look_at(const QueueAreas& areas, std::uint16_t position,
                 const gmem::GuestMemory& memory) noexcept {
  const auto* const packed = std::get_if<PackedAreas>(&areas);
  if (packed == nullptr) return {position, position == 0};
  if (!readable(*packed, memory)) return {position, true};
  return look_at_packed(*packed, position);
}

Result<Queue> Queue::open(const QueueAreas& areas, std::uint16_t position,
                          const gmem::GuestMemory& memory) {
  if (const auto* const packed = std::get_if<PackedAreas>(&areas)) {
    return PackedQueue::open(*packed, position, memory).map([](const PackedQueue& ring) {
      return Queue(ring);
    });
  }
  return SplitQueue::open(*std::get_if<SplitAreas>(&areas), position, memory)
      .map([](const SplitQueue& ring) { return Queue(ring); });
}

std::uint16_t Queue::at_rest() const noexcept {
  if (const auto* const split = std::get_if<SplitQueue>(&ring_)) [[likely]] {
    return split->next_avail();
  }
  return __atomic_load_n(watched(), __ATOMIC_RELAXED);
}

}  // namespace vballoon::virtq
