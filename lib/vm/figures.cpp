// SPDX-License-Identifier: BSD-3-Clause
#include "vm/figures.hpp"

namespace vballoon::vm {

std::string_view state_name(State state) noexcept {
  switch (state) {
    case State::kWaiting:
      return "waiting";
    case State::kConnected:
      return "connected";
    case State::kStopped:
      return "stopped";
    case State::kRunning:
      return "running";
    case State::kBroken:
      return "broken";
    case State::kSetAside:
      return "set-aside";
  }
  return "unknown";
}

void settle(VmFigures* figures) noexcept {
  SizeClues clues{figures->table_bytes, figures->boot_bytes, std::nullopt, 0};
  if (figures->stats) {
    wire::drop_nonsense(figures->table_bytes, &figures->stats->sample);
    clues.total = figures->stats->sample.get(wire::StatTag::kTotal);
    // A driver that gives pages up for programs that need them has told its kernel that they are
    // there. On a device with a message queue the bit may mean that: what is in doubt is added.
    const bool inside = figures->dialect == wire::Dialect::kStock &&
                        figures->acked.has(wire::Feature::kDeflateOnOom);
    if (!inside) clues.apart = figures->stats->ballooned_bytes;
  }
  const GuestSize size = guest_size(clues);
  figures->guest_bytes = size.bytes;
  figures->guest_source = size.source;
}

}  // namespace vballoon::vm
