// SPDX-License-Identifier: BSD-3-Clause
//
// driver/violations.hpp - what a device did wrong on its virtqueues, as a driver counts it.
// Source: the last two are of the balloon of large pages, docs/device-13.md.
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
  std::uint64_t bad_length = 0;       ///< a request or an answer of a length that it cannot have
  /// Handed back, and not in the balloon, or there as a page of another size (DEV-9, DEV-10).
  std::uint64_t not_in_balloon = 0;

  [[nodiscard]] std::uint64_t total() const noexcept {
    return unknown_id + not_outstanding + index_jump + out_of_order + missing_call + bad_length +
           not_in_balloon;
  }
  friend Violations operator+(const Violations& a, const Violations& b) noexcept {
    return {.unknown_id = a.unknown_id + b.unknown_id,
            .not_outstanding = a.not_outstanding + b.not_outstanding,
            .index_jump = a.index_jump + b.index_jump,
            .out_of_order = a.out_of_order + b.out_of_order,
            .missing_call = a.missing_call + b.missing_call,
            .bad_length = a.bad_length + b.bad_length,
            .not_in_balloon = a.not_in_balloon + b.not_in_balloon};
  }
};

}  // namespace vballoon::driver
