// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/heartbeat.hpp"

namespace vballoon::lcore {

bool Heartbeat::all_alive() {
  bool alive = true;
  stands_still_in_ = nullptr;
  for (Pulse& pulse : pulses_) {
    // Reads every number, also after one that stands still: `seen` must be up to date for all.
    const std::uint64_t now = pulse.progress();
    if (now != std::exchange(pulse.seen, now)) continue;
    alive = false;
    if (stands_still_in_ == nullptr) stands_still_in_ = pulse.whose();
  }
  return alive;
}

}  // namespace vballoon::lcore
