// SPDX-License-Identifier: BSD-3-Clause
//
// balloon/queue_map.hpp - which virtqueue is what, from the features that were acknowledged.
// Layer:  balloon; may include base/. Pure values.
// Source: VIRTIO 1.2, 5.5.2 fixes 0 to 4; Linux (6.1 to 6.12 at least) counts only queues whose
//         feature was acknowledged. Both agree while nothing below a queue is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "balloon/features.hpp"

namespace vballoon::balloon {

enum class Role : unsigned { kInflate = 0, kDeflate = 1, kStats = 2, kHint = 3, kReport = 4 };
inline constexpr unsigned kRoles = 5;

/// Queues that the device has, and what GET_QUEUE_NUM answers.
inline constexpr unsigned kQueues = kRoles;

[[nodiscard]] std::string_view role_name(Role role) noexcept;

/// The role of ring `index`. Linux's numbering, and the spec's for an index that Linux's leaves
/// free: a ring that a compacting driver would never start tells that this one does not compact.
/// @param gap_below  a ring between deflate and this one is not started: no compacting driver leaves
///                   one out, so the number is the spec's. To take a hint for a report would be to
///                   discard pages that the guest may use.
/// @return nothing for a ring that neither scheme knows.
[[nodiscard]] std::optional<Role> role_of_queue(unsigned index, Features acked,
                                                bool gap_below = false) noexcept;

}  // namespace vballoon::balloon
