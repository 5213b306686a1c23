// SPDX-License-Identifier: BSD-3-Clause
//
// vm/settings.hpp - what the operator can set of one VM.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace vballoon::vm {

struct DeviceConfig {
  std::string name;
  std::string socket;
  bool client = false;          ///< connect to the VMM's socket instead of listening
  bool prefault = false;        ///< put memory there before the guest gets a page back
  bool packed = true;           ///< offer packed rings
  bool page_poison = false;     ///< offer PAGE_POISON: not for User Mode Linux
  bool indirect = false;        ///< offer INDIRECT_DESC: not for User Mode Linux, either
  bool reporting = true;        ///< discard what the guest reports as free
  bool message_queue = false;   ///< offer MESSAGE_VQ in place of DEFLATE_ON_OOM, hints and reports
  std::string group = {};       ///< of its socket; empty: Config::socket_group
  bool automatic = false;       ///< the policy moves its target
  std::uint64_t floor_mib = 0;  ///< the policy leaves it so much at least; 0: a default
  std::uint64_t ceiling_mib = 0;  ///< and so much at most; 0: all
  std::uint64_t weight = 100;     ///< its share of what is scarce
  friend bool operator==(const DeviceConfig&, const DeviceConfig&) = default;
};

inline constexpr std::uint64_t kMostSizeMib = 1 << 30;
inline constexpr std::uint64_t kMostWeight = 10'000;

/// Floor, ceiling and weight, each in its range, also go together.
[[nodiscard]] Result<void> check_limits(const DeviceConfig& device);

}  // namespace vballoon::vm
