// SPDX-License-Identifier: BSD-3-Clause
//
// policy/alarm.hpp - by how much a host under pressure raises its reserve. Of law balance.
// Its bytes may be anything (policy/kept_value.hpp).
// Pure.
#pragma once

#include <cstdint>

#include "policy/observation.hpp"

namespace vballoon::policy {

class Alarm {
 public:
  /// The kernel also tells of pressure when it only drops page cache. Such an event does not count
  /// while each pool has more than enough.
  void heed(const Observation& seen) noexcept;
  [[nodiscard]] std::uint64_t raised(std::uint64_t reserve) const noexcept {
    return reserve + reserve / 100 * percent_;
  }

  /// Another process heeded the host until now.
  void take_up(Time now) noexcept;

 private:
  std::uint64_t percent_ = 0;
  Time at_{0};  // since when it is so much
};

}  // namespace vballoon::policy
