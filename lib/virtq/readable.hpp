// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/readable.hpp - whether what a front end calls a packed ring can be looked at.
// Source: VIRTIO 1.2, 2.8.10.1: its size, and the alignment of its descriptors.
#pragma once

#include "gmem/guest_memory.hpp"
#include "virtq/areas.hpp"
#include "virtq/shared_memory.hpp"
#include "wire/packed_layout.hpp"
#include "wire/split_layout.hpp"

namespace vballoon::virtq {

[[nodiscard]] inline bool readable(const PackedAreas& areas,
                                   const gmem::GuestMemory& memory) noexcept {
  return areas.size != 0 && areas.size <= wire::kMaxQueueSize && aligned(areas.descriptors, 16) &&
         memory.maps(areas.descriptors, sizeof(wire::PackedDescriptor) * areas.size);
}

}  // namespace vballoon::virtq
