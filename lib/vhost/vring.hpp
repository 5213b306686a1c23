// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/vring.hpp - what librte_vhost knows of a ring, and is told of its position.
// Thread: the vhost event thread.
#pragma once

#include <cstdint>
#include <optional>

#include "virtq/queue.hpp"

namespace vballoon::vhost {

struct Vring {
  virtq::QueueAreas areas;
  std::uint16_t base = 0;  ///< where the ring begins; packed: with the wrap counter in bit 15
  int call_fd = -1;
};

/// @param packed  the layout that was negotiated.
/// @return nothing where librte_vhost has not translated the ring's addresses (yet).
[[nodiscard]] std::optional<Vring> describe_vring(int vid, unsigned index, bool packed) noexcept;

/// Tells librte_vhost where a ring stands: it does not follow an external poller's indexes, but
/// front ends ask it for them (GET_VRING_BASE).
void tell_position(int vid, unsigned index, std::uint16_t position) noexcept;

}  // namespace vballoon::vhost
