// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/report_queue.hpp"

#include <algorithm>

namespace vballoon::datapath {

void ReportQueue::serve() noexcept {
  std::uint64_t left = kReportBytesPerPass;
  const reclaim::Conduct& conduct = *context_.reclaimer.handover().conduct();
  const auto goes_on = [&] { return !conduct.hurried() && begin(); };
  for (std::uint32_t steps = 0; left != 0 && steps < kHopsPerPass && goes_on(); ++steps) {
    const Taken taken = take(&left);
    if (taken == Taken::kNoRoom) return;
    if (taken == Taken::kPiece) continue;
    steps += current_->walk.hops();
    count_fault(current_->walk);
    held_.hold_for_gathered(current_->head);
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

bool ReportQueue::next_segment() noexcept {
  virtq::Segment segment;
  while (current_->walk.next(&segment)) {
    if (!segment.device_writes) {
      context_.counters.wrong_direction.add(1);
    } else if (segment.range.bytes != 0) {
      current_->rest = segment.range;
      return true;
    }
  }
  return false;
}

/// Hands on one piece of the present chain, and takes it off what is left of the pass.
ReportQueue::Taken ReportQueue::take(std::uint64_t* left) noexcept {
  GpaRange& rest = current_->rest;
  if (rest.bytes == 0 && !next_segment()) return Taken::kEnd;
  const GpaRange piece{rest.first, context_.reclaimer.gather().portion(rest, *left)};
  const bool keep = context_.keeps_reports();
  if (!keep && !context_.reclaimer.report(piece)) return Taken::kNoRoom;
  const std::uint64_t pages = bytes_to_pages(piece.bytes);
  context_.counters.reported_pages.add(pages);
  if (keep) context_.counters.reports_kept.add(pages);
  rest.first.value += piece.bytes;
  rest.bytes -= piece.bytes;
  *left -= std::min(*left, piece.bytes);
  return Taken::kPiece;
}

}  // namespace vballoon::datapath
