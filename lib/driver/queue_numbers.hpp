// SPDX-License-Identifier: BSD-3-Clause
//
// driver/queue_numbers.hpp - which virtqueue serves which purpose, as a driver decides it.
// On purpose not the device's own code: a mistake there must not cancel itself out here.
// Source: VIRTIO 1.2, 5.5.2 (fixed numbers); Linux drivers/virtio/virtio_balloon.c, init_vqs(),
//         where a queue whose feature was not negotiated takes no number; docs/device-13.md,
//         section 5, for the last two.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "wire/features.hpp"

namespace vballoon::driver {

enum class Role : unsigned {
  kInflate,
  kDeflate,
  kStats,
  kHint,
  kReport,
  kMessage,
  kFromDevice,
  kToDevice
};
inline constexpr std::size_t kRoles = 8;
inline constexpr std::size_t kStockRoles = 6;  ///< of the stock balloon: the first ones
inline constexpr std::array<const char*, kRoles> kRoleNames{
    "inflate", "deflate", "stats", "hint", "report", "message", "fromdev", "todev"};

enum class Numbering { kLinux, kSpec };

/// By role; nothing where the driver has no such queue.
using QueueNumbers = std::array<std::optional<unsigned>, kRoles>;

/// @param messages  bit 2 is MESSAGE_VQ, as "virtio-balloon: add pressure notification via a new
///                  virtqueue" has it: that queue comes after the statistics, and hints and reports
///                  are not known.
[[nodiscard]] QueueNumbers number_queues(wire::Features acked, Numbering scheme,
                                         bool messages = false) noexcept;
/// Those of the balloon of large pages.
[[nodiscard]] QueueNumbers large_queue_numbers() noexcept;

}  // namespace vballoon::driver
