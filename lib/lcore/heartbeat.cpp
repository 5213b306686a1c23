// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/heartbeat.hpp"

namespace vballoon::lcore {

bool Heartbeat::all_alive() {
  bool alive = true;
  for (Pulse& pulse : pulses_) {
    // All of them each time: one that stands still must not hide how far another has come.
    const std::uint64_t now = pulse.progress();
    if (now == std::exchange(pulse.seen, now)) alive = false;
  }
  return alive;
}

}  // namespace vballoon::lcore
