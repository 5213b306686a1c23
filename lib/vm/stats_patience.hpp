// SPDX-License-Identifier: BSD-3-Clause
//
// vm/stats_patience.hpp - how long a driver owes an answer to a request for statistics.
// Thread: any, under the device's lock. All times are of one steady clock.
#pragma once

#include <cstdint>

namespace vballoon::vm {

/// A driver answers within milliseconds, a busy one within a second. Later something is wrong.
inline constexpr std::uint64_t kStatsStalledMs = 2000;

class StatsPatience {
 public:
  /// The driver was asked. @param sequence  the number of the newest sample; 0 for none.
  void asked(std::uint64_t sequence, std::uint64_t now_ms) noexcept {
    if (waits_ && sequence == sequence_) return;
    sequence_ = sequence;
    since_ms_ = now_ms;
    waits_ = true;
  }

  /// The ring was started. The driver could not answer earlier requests until now.
  void start_over(std::uint64_t now_ms) noexcept { since_ms_ = now_ms; }
  /// Another driver runs now.
  void forget() noexcept { waits_ = false; }

  /// @return how long the oldest request has waited for its answer; 0 when no request waits.
  [[nodiscard]] std::uint64_t waiting_ms(std::uint64_t sequence,
                                         std::uint64_t now_ms) const noexcept {
    return waits_ && sequence == sequence_ ? now_ms - since_ms_ : 0;
  }

 private:
  bool waits_ = false;
  std::uint64_t sequence_ = 0;  // the newest sample's number when the driver was asked
  std::uint64_t since_ms_ = 0;
};

}  // namespace vballoon::vm
