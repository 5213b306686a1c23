// SPDX-License-Identifier: BSD-3-Clause
//
// policy/claimed_counter.hpp - a figure that can only grow, as a guest claims it.
// Pure. Of drivers it is known that they send a single value which is none, when their own query
// failed; and of guests that they start counting anew.
#pragma once

#include <cstdint>
#include <optional>

#include "policy/observation.hpp"

namespace vballoon::policy {

class ClaimedCounter {
 public:
  enum class Doubt { kNone, kFell, kLeapt };
  struct Step {
    std::uint64_t rise = 0;  ///< since the value that was believed before
    Doubt doubt = Doubt::kNone;
  };

  /// A value that fell, or rose by more than it can, is not believed, and costs nothing: the next
  /// one is compared with that before it. Two in a row that agree are where it counts from.
  /// @param value  nothing: the guest did not say; that is no news of it.
  /// @param most_a_second  by which it can rise.
  Step see(std::optional<std::uint64_t> value, Time now, std::uint64_t most_a_second) noexcept;

 private:
  struct Point {
    std::uint64_t value = 0;
    Time when{0};
  };
  std::optional<Point> last_;      // believed
  std::optional<Point> doubtful_;  // since then, and not
};

}  // namespace vballoon::policy
