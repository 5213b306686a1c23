// SPDX-License-Identifier: BSD-3-Clause
//
// driver/violations.hpp - what a device did wrong on its virtqueues, as a driver counts it.
// Plain values.
#pragma once

#include <cstdint>

namespace vballoon::driver {

/// Each is counted and survived: the buffer in question stays lost.
struct Violations {
  std::uint64_t unknown_id = 0;       ///< a used id that is no descriptor of this queue
  std::uint64_t not_outstanding = 0;  ///< a used id that was never given, or came back twice
  std::uint64_t index_jump = 0;       ///< the used index went further than buffers were out
  std::uint64_t out_of_order = 0;     ///< not the oldest buffer, though IN_ORDER was negotiated
  std::uint64_t missing_call = 0;     ///< a used buffer of which no call told

  [[nodiscard]] std::uint64_t total() const noexcept {
    return unknown_id + not_outstanding + index_jump + out_of_order + missing_call;
  }
  friend Violations operator+(const Violations& a, const Violations& b) noexcept {
    return {.unknown_id = a.unknown_id + b.unknown_id,
            .not_outstanding = a.not_outstanding + b.not_outstanding,
            .index_jump = a.index_jump + b.index_jump,
            .out_of_order = a.out_of_order + b.out_of_order,
            .missing_call = a.missing_call + b.missing_call};
  }
};

}  // namespace vballoon::driver
