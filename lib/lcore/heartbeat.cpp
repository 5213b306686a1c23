// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/heartbeat.hpp"

namespace vballoon::lcore {

bool Heartbeat::all_alive() {
  bool alive = true;
  for (Pulse& pulse : pulses_) {
    // Reads every number, also after one that stands still: `seen` must be up to date for all.
    const std::uint64_t now = pulse.progress();
    if (now == std::exchange(pulse.seen, now)) alive = false;
  }
  return alive;
}

}  // namespace vballoon::lcore
