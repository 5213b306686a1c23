// SPDX-License-Identifier: BSD-3-Clause
//
// driver/config_fields.hpp - where the fields lie in the balloon's configuration space.
// Layer:  driver, private. The driver's own reading of the spec, not the device's.
// Source: VIRTIO 1.2, 5.5.4: le32 each.
#pragma once

#include <cstdint>

namespace vballoon::driver {

inline constexpr std::uint32_t kNumPagesOffset = 0;
inline constexpr std::uint32_t kActualOffset = 4;
inline constexpr std::uint32_t kHintCommandOffset = 8;
inline constexpr std::uint32_t kPoisonOffset = 12;

}  // namespace vballoon::driver
