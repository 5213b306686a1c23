// SPDX-License-Identifier: BSD-3-Clause
//
// wire/balloon_config.hpp - the 16 bytes of configuration space that driver and device share.
// Source: VIRTIO 1.2, 5.5.4. Little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vballoon::wire {

/// Offsets of the fields; each is 4 bytes.
inline constexpr std::uint32_t kNumPagesOffset = 0;
inline constexpr std::uint32_t kActualOffset = 4;
inline constexpr std::uint32_t kFreePageHintOffset = 8;
inline constexpr std::uint32_t kPoisonOffset = 12;
inline constexpr std::size_t kConfigBytes = 16;

/// free_page_hint_cmd_id values (5.5.6.5): STOP, and DONE, which is what an idle device shows. All
/// others are the id of a round.
inline constexpr std::uint32_t kHintStop = 0;
inline constexpr std::uint32_t kHintDone = 1;
inline constexpr std::uint32_t kFirstHintRound = 2;

/// What the device wants of the driver's free page hints.
enum class HintAction {
  kStart,  ///< a new round
  kStop,   ///< no more for now; the driver keeps the pages that it hinted
  kDone,   ///< no more; the guest may have its pages back
};

}  // namespace vballoon::wire
