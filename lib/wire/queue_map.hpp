// SPDX-License-Identifier: BSD-3-Clause
//
// wire/queue_map.hpp - which virtqueue is what, from the features that were acknowledged.
// Pure values.
// Source: VIRTIO 1.2, 5.5.2 fixes 0 to 4; Linux (6.1 to 6.12 at least) counts only queues whose
//         feature was acknowledged. Both agree while nothing below a queue is missing. The message
//         queue is of "virtio-balloon: add pressure notification via a new virtqueue" (2013) and
//         comes after the statistics. Queues of device 13: docs/device-13.md, 5.
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
  // Of device 13.
  kFromDevice = 6,  ///< the device's requests
  kToDevice = 7,    ///< the driver's messages: pages, and all else that it has to say
};
inline constexpr unsigned kRoles = 8;

/// Queues that a device has at most, and what GET_QUEUE_NUM answers.
inline constexpr unsigned kQueues = 5;

/// What the driver says on the message queue, each a little-endian 32-bit number.
inline constexpr std::uint32_t kMessagePressure = 1;  ///< the guest is short of memory

[[nodiscard]] std::string_view role_name(Role role) noexcept;

/// Whether a device of this dialect may have such a queue.
[[nodiscard]] constexpr bool may_have(Role role, Dialect dialect) noexcept {
  const bool large = role == Role::kFromDevice || role == Role::kToDevice;
  if (large || dialect == Dialect::kLarge) return large && dialect == Dialect::kLarge;
  if (dialect == Dialect::kStock) return role != Role::kMessage;
  return role != Role::kHint && role != Role::kReport;
}

/// The queues that a dialect's device has at most.
[[nodiscard]] constexpr unsigned queues_of(Dialect dialect) noexcept {
  return dialect == Dialect::kLarge ? 2 : kQueues;
}

/// A queue that every driver starts, and its ring's number.
struct MainQueue {
  Role role;
  unsigned ring;
};
/// The queue by which pages enter the balloon: its ring tells of a reset.
[[nodiscard]] constexpr MainQueue entrance(Dialect dialect) noexcept {
  return dialect == Dialect::kLarge ? MainQueue{Role::kToDevice, 1} : MainQueue{Role::kInflate, 0};
}
/// The other one, without which the driver does not work.
[[nodiscard]] constexpr MainQueue companion(Dialect dialect) noexcept {
  return dialect == Dialect::kLarge ? MainQueue{Role::kFromDevice, 0}
                                    : MainQueue{Role::kDeflate, 1};
}
/// The queue by which the driver is asked for statistics.
[[nodiscard]] constexpr Role statistics(Dialect dialect) noexcept {
  return dialect == Dialect::kLarge ? Role::kFromDevice : Role::kStats;
}

/// The role of ring `index`. Linux's numbering, and the spec's for an index that Linux's leaves
/// free: a ring that a compacting driver would never start tells that this one does not compact.
/// @param gap_below  a ring between deflate and this one is not started: no compacting driver
///                   leaves one out, so the number is the spec's. To take a hint for a report would
///                   be to discard pages that the guest may use.
/// @param dialect    of the device.
/// @return nothing for a ring that neither scheme knows.
[[nodiscard]] std::optional<Role> role_of_queue(unsigned index, Features acked,
                                                bool gap_below = false,
                                                Dialect dialect = Dialect::kStock) noexcept;

}  // namespace vballoon::wire
