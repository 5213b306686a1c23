// SPDX-License-Identifier: BSD-3-Clause
#include "vm/report.hpp"

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
  }
  return "unknown";
}

void settle_figures(DeviceReport* report) noexcept {
  vm::SizeClues clues{report->table_bytes, report->boot_bytes, std::nullopt, 0};
  if (report->stats) {
    wire::drop_nonsense(report->table_bytes, &report->stats->sample);
    clues.total = report->stats->sample.get(wire::StatTag::kTotal);
    // A driver that gives pages up for programs that need them has told its kernel that they are
    // there. On a device with a message queue the bit may mean that: what is in doubt is added.
    const bool inside = report->bit_two == wire::BitTwo::kDeflateOnOom &&
                        report->acked.has(wire::Feature::kDeflateOnOom);
    if (!inside) clues.apart = report->stats->ballooned_bytes;
  }
  const vm::GuestSize size = vm::guest_size(clues);
  report->guest_bytes = size.bytes;
  report->guest_source = size.source;
}

}  // namespace vballoon::vm
