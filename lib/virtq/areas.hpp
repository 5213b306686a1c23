// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/areas.hpp - where the three areas of a ring are mapped in this process.
#pragma once

#include <cstddef>

namespace vballoon::virtq {

struct SplitAreas {
  std::byte* descriptors = nullptr;  // aligned to 16
  std::byte* avail = nullptr;        // aligned to 2
  std::byte* used = nullptr;         // aligned to 4
  unsigned size = 0;                 // descriptors
};

struct PackedAreas {
  std::byte* descriptors = nullptr;   // aligned to 16
  std::byte* driver_event = nullptr;  // aligned to 4
  std::byte* device_event = nullptr;  // aligned to 4
  unsigned size = 0;                  // descriptors; need not be a power of two
};

}  // namespace vballoon::virtq
