// SPDX-License-Identifier: BSD-3-Clause
//
// vm/restarts.hpp - the ends of the daemon that a VM's connection has outlived.
#pragma once

#include <cstdint>

namespace vballoon::vm {

/// Since its VMM connected. A gap is from the last sign of life of the daemon before (a sign every
/// 20 ms) until this one serves its rings.
struct Restarts {
  std::uint32_t count = 0;
  std::uint32_t last_ms = 0;     ///< the last gap; 0: there was none, or it is not known
  std::uint32_t longest_ms = 0;  ///< the longest gap
  std::uint64_t last_at_ms = 0;  ///< the end of the last gap, since 1970
  friend bool operator==(const Restarts&, const Restarts&) = default;
};

}  // namespace vballoon::vm
