// SPDX-License-Identifier: BSD-3-Clause
#include "device/report.hpp"

namespace vballoon::device {

std::string_view state_name(State state) noexcept {
  switch (state) {
    case State::kWaiting: return "waiting";
    case State::kConnected: return "connected";
    case State::kStopped: return "stopped";
    case State::kRunning: return "running";
    case State::kBroken: return "broken";
  }
  return "unknown";
}

}  // namespace vballoon::device
