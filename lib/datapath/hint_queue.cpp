// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/hint_queue.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace vballoon::datapath {

HintQueue::HintQueue(Ring ring, const DeviceContext& context, HintRound& round,
                     bool resumed) noexcept
    : DeviceQueue(std::move(ring), context), round_(round) {
  if (!resumed) round_.going.set(0);
}

void HintQueue::serve() noexcept {
  std::uint32_t hops = 0;
  for (unsigned i = 0; i < kBuffersPerPass && hops < kHopsPerPass; ++i) {
    const auto head = ring_.pop();
    if (!head) return;
    hops += take(*head);
    ring_.finish(*head);
  }
}

/// @return the descriptors that it took.
std::uint32_t HintQueue::take(virtq::Head head) noexcept {
  virtq::ChainWalk walk = ring_.walk(head);
  Said said;
  for (virtq::Segment segment; walk.next(&segment);) {
    if (segment.device_writes) {
      obey(std::exchange(said, Said{}));
      count(segment.range);
    } else {
      listen(segment.range, &said);
    }
  }
  obey(said);
  count_fault(walk);
  return walk.hops();
}

/// The command may be cut into descriptors as the driver likes; what is longer than one is none.
void HintQueue::listen(GpaRange range, Said* said) const noexcept {
  const std::size_t have = std::min<std::size_t>(said->length, said->bytes.size());
  const auto room = std::span(said->bytes).subspan(have);
  const auto part = room.first(std::min<std::size_t>(room.size(), range.bytes));
  if (!part.empty()) static_cast<void>(ring_.memory().read(range.first, part));
  said->length += range.bytes;
}

void HintQueue::obey(const Said& said) noexcept {
  if (said.length == 0) return;
  std::uint32_t id = 0;
  std::memcpy(&id, said.bytes.data(), sizeof(id));
  round_.going.set(0);
  const bool whole = said.length == said.bytes.size();
  if (whole && id == wire::kHintStop) return;
  // An old round's id is no fault: the driver may have been slow to see the new one.
  if (!whole || id < wire::kFirstHintRound) return context_.counters.bad_hint_commands.add(1);
  if (id != context_.config.hint_command()) return;
  if (round_.id.get() != id) round_.pages.set(0);
  round_.id.set(id);
  round_.going.set(1);
}

/// 5.5.6.5: pages of a round that is not the present one are ignored.
void HintQueue::count(GpaRange hinted) noexcept {
  const std::uint64_t pages = bytes_to_pages(hinted.bytes);
  if (round_.going.get() == 0 || round_.id.get() != context_.config.hint_command()) {
    return context_.counters.stale_hints.add(pages);
  }
  context_.counters.hint_pages.add(pages);
  round_.pages.add(pages);
}

}  // namespace vballoon::datapath
