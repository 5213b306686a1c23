// SPDX-License-Identifier: BSD-3-Clause
//
// wire/split_layout.hpp - the split virtqueue as it lies in guest memory.
// Shared by the device side and the driver side.
// Source: VIRTIO 1.2, 2.7: 2.7.5 descriptors, 2.7.6 avail, 2.7.8 used. Little-endian fields.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace vballoon::wire {

static_assert(std::endian::native == std::endian::little, "the rings are read as they lie");

/// VIRTIO 1.2, 2.7: a queue size is a power of two, at most 32768.
inline constexpr unsigned kMaxQueueSize = 32768;

inline constexpr std::uint16_t kDescNext = 1;          // VIRTQ_DESC_F_NEXT
inline constexpr std::uint16_t kDescWrite = 2;         // VIRTQ_DESC_F_WRITE: device writes
inline constexpr std::uint16_t kDescIndirect = 4;      // VIRTQ_DESC_F_INDIRECT
inline constexpr std::uint16_t kAvailNoInterrupt = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT
inline constexpr std::uint16_t kUsedNoNotify = 1;      // VIRTQ_USED_F_NO_NOTIFY

struct Descriptor {
  std::uint64_t addr = 0;  // guest-physical
  std::uint32_t len = 0;   // bytes
  std::uint16_t flags = 0;
  std::uint16_t next = 0;
};
static_assert(sizeof(Descriptor) == 16);

/// Head of the available ring; `size` ring entries of 16 bits follow.
struct AvailHeader {
  std::uint16_t flags = 0;
  std::uint16_t idx = 0;
};
static_assert(sizeof(AvailHeader) == 4);

struct UsedElement {
  std::uint32_t id = 0;   // head of the finished chain
  std::uint32_t len = 0;  // bytes the device wrote
};
static_assert(sizeof(UsedElement) == 8);

/// Head of the used ring; `size` UsedElements follow.
struct UsedHeader {
  std::uint16_t flags = 0;
  std::uint16_t idx = 0;
};
static_assert(sizeof(UsedHeader) == 4);
inline constexpr std::size_t kUsedIdxOffset = offsetof(UsedHeader, idx);

[[nodiscard]] constexpr std::size_t descriptor_table_bytes(unsigned size) noexcept {
  return sizeof(Descriptor) * size;
}
/// Without used_event: EVENT_IDX is not offered.
[[nodiscard]] constexpr std::size_t avail_ring_bytes(unsigned size) noexcept {
  return sizeof(AvailHeader) + sizeof(std::uint16_t) * size;
}
[[nodiscard]] constexpr std::size_t used_ring_bytes(unsigned size) noexcept {
  return sizeof(UsedHeader) + sizeof(UsedElement) * size;
}

}  // namespace vballoon::wire
