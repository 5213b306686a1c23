// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/vring.hpp - a ring as librte_vhost has it.
// Thread: the vhost event thread.
#pragma once

#include <cstdint>
#include <optional>

#include "virtq/queue.hpp"

namespace vballoon::vhost {

struct Vring {
  virtq::QueueAreas areas;
  std::uint16_t base = 0;  ///< where it begins; of a packed ring with the wrap counter in bit 15
  int call_fd = -1;
};

/// @param packed  the layout that was negotiated.
/// @return nothing where librte_vhost has not translated the ring's addresses (yet).
[[nodiscard]] std::optional<Vring> describe_vring(int vid, unsigned index, bool packed) noexcept;

/// librte_vhost does not follow an external poller's indexes, and it is asked for them.
void tell_position(int vid, unsigned index, std::uint16_t position) noexcept;

}  // namespace vballoon::vhost
