// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/stats_queue.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace vballoon::datapath {
namespace {

/// Linux 6.12 sends 160 bytes; a driver with more than 102 entries has its rest ignored.
constexpr std::size_t kMaxStatsBytes = 1024;

}  // namespace

StatsQueue::StatsQueue(Ring ring, const DeviceContext& context, StatsExchange& exchange,
                       bool resumed) noexcept
    : DeviceQueue(std::move(ring), context),
      exchange_(exchange),
      skip_next_(resumed && exchange.held) {
  // What was asked of the driver before is not asked of a new one.
  if (!resumed) exchange_.answer_all();
}

StatsQueue::~StatsQueue() {
  exchange_.held = held_.has_value();
}

void StatsQueue::serve() noexcept {
  hops_ = 0;
  for (unsigned i = 0; i < kBuffersPerPass && hops_ < kHopsPerPass; ++i) {
    const auto head = ring_.pop();
    if (!head) break;
    take(*head);
  }
  if (held_ && exchange_.asked()) give_back();
}

void StatsQueue::take(virtq::Head head) noexcept {
  // A driver has one buffer; one that sends two gets the older back, none is ever lost.
  if (held_) ring_.finish(*held_);
  held_ = head;
  if (!std::exchange(skip_next_, false)) hops_ += record(head);
}

/// @return the descriptors that it took.
std::uint32_t StatsQueue::record(virtq::Head head) noexcept {
  std::array<std::byte, kMaxStatsBytes> bytes;
  std::size_t filled = 0;
  virtq::ChainWalk walk = ring_.walk(head);
  for (virtq::Segment segment; walk.next(&segment);) {
    if (segment.device_writes) {
      context_.counters.wrong_direction.add(1);
      continue;
    }
    const std::size_t step = std::min<std::uint64_t>(segment.range.bytes, bytes.size() - filled);
    if (step < segment.range.bytes) context_.counters.stats_truncated.add(1);
    if (!ring_.memory().read(segment.range.first, std::span(bytes).subspan(filled, step))) break;
    filled += step;
  }
  count_fault(walk);
  exchange_.hear(wire::decode_stats(std::span(bytes).first(filled)),
                 context_.counters.ballooned_pages.get());
  context_.counters.stats_samples.add(1);
  return walk.hops();
}

void StatsQueue::give_back() noexcept {
  exchange_.answer_all();
  ring_.finish(*std::exchange(held_, std::nullopt));
}

}  // namespace vballoon::datapath
