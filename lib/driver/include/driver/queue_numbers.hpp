// SPDX-License-Identifier: BSD-3-Clause
//
// driver/queue_numbers.hpp - which virtqueue serves which purpose, as a driver decides it.
// Layer:  driver; may include base/ and balloon/. On purpose not the device's own code: a mistake
//         there must not cancel itself out here.
// Source: VIRTIO 1.2, 5.5.2 (fixed numbers); Linux drivers/virtio/virtio_balloon.c, init_vqs(),
//         where a queue whose feature was not negotiated takes no number.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "balloon/features.hpp"

namespace vballoon::driver {

enum class Role : unsigned { kInflate, kDeflate, kStats, kHint, kReport };
inline constexpr std::size_t kRoles = 5;
inline constexpr std::array<const char*, kRoles> kRoleNames{"inflate", "deflate", "stats", "hint",
                                                            "report"};

enum class Numbering { kLinux, kSpec };

/// By role; nothing where the driver has no such queue.
using QueueNumbers = std::array<std::optional<unsigned>, kRoles>;

[[nodiscard]] QueueNumbers number_queues(balloon::Features acked, Numbering scheme) noexcept;

}  // namespace vballoon::driver
