// SPDX-License-Identifier: BSD-3-Clause
#include "device/report_queue.hpp"

#include <algorithm>

namespace vballoon::device {

void ReportQueue::serve() noexcept {
  std::uint64_t left = kReportBytesPerPass;
  std::uint32_t steps = 0;
  while (left != 0 && steps++ < kHopsPerPass && begin()) {
    const std::uint64_t taken = take(left);
    left -= taken;
    if (taken != 0) continue;
    steps += current_->walk.hops();
    finish(current_->head, current_->walk);
    current_.reset();
  }
}

bool ReportQueue::begin() noexcept {
  if (current_) return true;
  const auto head = ring_.pop();
  if (!head) return false;
  current_.emplace(Current{*head, ring_.walk(*head), GpaRange{}});
  return true;
}

/// Hands on one piece of the present chain. @return its bytes; 0 at the end of the chain.
std::uint64_t ReportQueue::take(std::uint64_t limit) noexcept {
  GpaRange& rest = current_->rest;
  while (rest.bytes == 0) {
    virtq::Segment segment;
    if (!current_->walk.next(&segment)) return 0;
    if (segment.device_writes) {
      rest = segment.range;
    } else {
      context_.counters.wrong_direction.add(1);
    }
  }
  const GpaRange piece{rest.first, std::min(rest.bytes, limit)};
  rest.first.value += piece.bytes;
  rest.bytes -= piece.bytes;
  context_.counters.reported_pages.add(bytes_to_pages(piece.bytes));
  // A guest that poisons free pages expects the pattern back, not zeroes (5.5.6.7.1).
  if (context_.pages_must_keep_poison()) {
    context_.counters.reports_kept.add(bytes_to_pages(piece.bytes));
  } else {
    context_.reclaimer.report(piece);
  }
  return piece.bytes;
}

}  // namespace vballoon::device
