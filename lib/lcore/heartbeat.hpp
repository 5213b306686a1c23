// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/heartbeat.hpp - whether every lcore makes progress. The watchdog is fed only then.
// Thread: the control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace vballoon::lcore {

class Heartbeat {
 public:
  /// @param progress  returns a number that changes while its lcore works; called on this thread.
  void listen_to(std::function<std::uint64_t()> progress) {
    pulses_.push_back({std::move(progress), 0});
  }

  /// @return whether every number has changed since the last call. The first call compares with 0.
  [[nodiscard]] bool all_alive();

 private:
  struct Pulse {
    std::function<std::uint64_t()> progress;
    std::uint64_t seen = 0;
  };
  std::vector<Pulse> pulses_;
};

}  // namespace vballoon::lcore
