// SPDX-License-Identifier: BSD-3-Clause
//
// wire/packed_layout.hpp - the packed virtqueue as it lies in guest memory.
// Shared by the device side and the driver side.
// Source: VIRTIO 1.2, 2.8: 2.8.1 wrap counters, 2.8.10 sizes, 2.8.13 descriptors, 2.8.14 event
//         suppression. Little-endian fields. Flags that both layouts have are in split_layout.hpp.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "wire/split_layout.hpp"

namespace vballoon::wire {

inline constexpr std::uint16_t kPackedAvail = 1U << 7;  // VIRTQ_DESC_F_AVAIL
inline constexpr std::uint16_t kPackedUsed = 1U << 15;  // VIRTQ_DESC_F_USED

/// RING_EVENT_FLAGS_*: the lowest two bits count. DESC needs EVENT_IDX, which is not offered.
inline constexpr std::uint16_t kEventsEnable = 0;
inline constexpr std::uint16_t kEventsDisable = 1;
inline constexpr std::uint16_t kEventsMask = 3;

struct PackedDescriptor {
  std::uint64_t addr = 0;  // guest-physical
  std::uint32_t len = 0;   // bytes; in a used descriptor, what the device wrote
  std::uint16_t id = 0;    // the buffer's, in the last descriptor of its chain
  std::uint16_t flags = 0;
};
static_assert(sizeof(PackedDescriptor) == 16);

/// The driver's and the device's event suppression structure.
struct EventSuppression {
  std::uint16_t offset_and_wrap = 0;
  std::uint16_t flags = 0;
};
static_assert(sizeof(EventSuppression) == 4);

/// What AVAIL and USED read in a descriptor that was made available with this wrap counter.
[[nodiscard]] constexpr std::uint16_t available_bits(bool wrap) noexcept {
  return wrap ? kPackedAvail : kPackedUsed;
}
/// And in one that was used with it.
[[nodiscard]] constexpr std::uint16_t used_bits(bool wrap) noexcept {
  return wrap ? kPackedAvail | kPackedUsed : 0;
}

/// A place in the ring as vhost-user says it: the index, and the wrap counter in bit 15.
inline constexpr std::uint16_t kPositionWrap = 1U << 15;
/// Where a driver begins: index 0, wrap counter 1 (2.8.1).
inline constexpr std::uint16_t kPackedBegin = kPositionWrap;

}  // namespace vballoon::wire
