// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/head.hpp - the name of one available buffer, from the pop to the return.
// A plain value.
#pragma once

#include <cstdint>

namespace vballoon::virtq {

struct Head {
  std::uint16_t id = 0;     ///< by which the driver knows it; in a split ring its first descriptor
  std::uint16_t first = 0;  ///< packed ring: its first descriptor
  std::uint16_t count = 0;  ///< packed ring: its descriptors, as they were when it was popped
};

}  // namespace vballoon::virtq
