// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/balloon_device_guest.cpp - what the control thread has the guest tell: hints, statistics.
// Source: VIRTIO 1.2, 5.5.6.3 and 5.5.6.5.
#include <fmt/format.h>

#include "base/clock.hpp"
#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {

using wire::HintAction;
using wire::Role;

Result<std::uint32_t> BalloonDevice::hint(HintAction action) {
  const auto lock = knock();
  if (!lock) return busy();
  if (!path_.running(Role::kHint)) {
    return fail(Code::kUnavailable,
                fmt::format("the guest of '{}' has no queue for hints: its balloon driver is not "
                            "started, or did not accept FREE_PAGE_HINT",
                            spec_.name));
  }
  const std::uint32_t command = config_.command_hints(action);
  notify_due_.store(true, std::memory_order_relaxed);
  notify_if_due();
  return command;
}

vm::HintReport BalloonDevice::report_hints() const {
  const datapath::HintRound& round = path_.hints();
  vm::HintReport report;
  report.command_id = config_.hint_command();
  report.bytes = pages_to_bytes(round.pages.get());
  if (report.command_id == wire::kHintDone) {
    report.state = "idle";
  } else if (report.command_id == wire::kHintStop) {
    report.state = "stopped";
  } else if (round.id.get() != report.command_id) {
    report.state = "asked";
    report.bytes = 0;
  } else {
    report.state = round.going.get() != 0 ? "running" : "complete";
  }
  return report;
}

void BalloonDevice::start_stats(bool resumed) {
  if (resumed) return stats_patience_.start_over(now_ms());
  path_.forget_stats();
  stats_patience_.forget();
}

}  // namespace vballoon::vhost
