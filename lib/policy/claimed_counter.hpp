// SPDX-License-Identifier: BSD-3-Clause
//
// policy/claimed_counter.hpp - a figure that can only grow, as a guest claims it.
// Pure. Two faults of counters are known: a driver whose own query failed sends a single false
// value, and a guest starts counting anew. Its bytes may be anything (policy/kept_value.hpp).
#pragma once

#include <cstdint>
#include <optional>

#include "policy/kept_value.hpp"
#include "policy/observation.hpp"

namespace vballoon::policy {

class ClaimedCounter {
 public:
  enum class Doubt { kNone, kFell, kLeapt };
  struct Step {
    std::uint64_t rise = 0;  ///< since the last value that was believed
    Doubt doubt = Doubt::kNone;
  };

  /// A value that fell, or rose by more than is possible, is not believed: the next value is
  /// compared with the last believed one. If it does not follow from that one either, but from the
  /// doubted one, the counter goes on from the doubted one.
  /// @param value  nothing: the guest did not send the counter; no state changes.
  /// @param most_a_second  the largest possible rise in a second.
  Step see(std::optional<std::uint64_t> value, Time now, std::uint64_t most_a_second) noexcept;

  /// Another process saw the values until now.
  void take_up(Time now) noexcept;

 private:
  struct Point {
    std::uint64_t value = 0;
    Moment when;  // none: there was no value
  };
  Point last_;      // the last value that was believed
  Point doubtful_;  // a later value that was not believed
};

}  // namespace vballoon::policy
