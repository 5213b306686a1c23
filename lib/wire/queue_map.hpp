// SPDX-License-Identifier: BSD-3-Clause
//
// wire/queue_map.hpp - which virtqueue is what, from the features that were acknowledged.
// Pure values.
// Source: VIRTIO 1.2, 5.5.2 fixes 0 to 4; Linux (6.1 to 6.12 at least) counts only queues whose
//         feature was acknowledged. Both agree while nothing below a queue is missing. The message
//         queue is of "virtio-balloon: add pressure notification via a new virtqueue" (2013) and
//         comes after the statistics.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/features.hpp"

namespace vballoon::wire {

enum class Role : unsigned {
  kInflate = 0,
  kDeflate = 1,
  kStats = 2,
  kHint = 3,
  kReport = 4,
  kMessage = 5,  ///< its ring is 3 at most: a device that has it has no hints and no reports
};
inline constexpr unsigned kRoles = 6;

/// Queues that a device has at most, and what GET_QUEUE_NUM answers.
inline constexpr unsigned kQueues = 5;

/// What the driver says on the message queue, each a little-endian 32-bit number.
inline constexpr std::uint32_t kMessagePressure = 1;  ///< the guest is short of memory

[[nodiscard]] std::string_view role_name(Role role) noexcept;

/// Whether a device with this meaning of bit 2 may have such a queue.
[[nodiscard]] constexpr bool may_have(Role role, BitTwo bit_two) noexcept {
  if (bit_two == BitTwo::kDeflateOnOom) return role != Role::kMessage;
  return role != Role::kHint && role != Role::kReport;
}

/// The role of ring `index`. Linux's numbering, and the spec's for an index that Linux's leaves
/// free: a ring that a compacting driver would never start tells that this one does not compact.
/// @param gap_below  a ring between deflate and this one is not started: no compacting driver
///                   leaves one out, so the number is the spec's. To take a hint for a report would
///                   be to discard pages that the guest may use.
/// @param bit_two    what it means on this device.
/// @return nothing for a ring that neither scheme knows.
[[nodiscard]] std::optional<Role> role_of_queue(unsigned index, Features acked,
                                                bool gap_below = false,
                                                BitTwo bit_two = BitTwo::kDeflateOnOom) noexcept;

}  // namespace vballoon::wire
