// SPDX-License-Identifier: BSD-3-Clause
#include "driver/stats_responder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"
#include "wire/stats.hpp"

namespace vballoon::driver {

Result<StatsResponder> StatsResponder::create(const GuestRam& ram, Arena& arena) {
  constexpr std::size_t kBytes = kMaxEntries * wire::kStatEntryBytes;
  return arena.take(kBytes, 8).map(
      [&ram](Gpa gpa) { return StatsResponder(gpa, ram.at(gpa, kBytes)); });
}

void StatsResponder::prime(DriverQueue& queue) {
  std::byte* at = bytes_.data();
  const std::size_t count = std::min(entries_.size(), kMaxEntries);
  for (std::size_t i = 0; i < count; ++i, at += wire::kStatEntryBytes) {
    std::memcpy(at, &entries_[i].tag, sizeof(StatEntry::tag));
    std::memcpy(at + sizeof(StatEntry::tag), &entries_[i].value, sizeof(StatEntry::value));
  }
  const std::array<Segment, 1> segment{
      Segment{.addr = gpa_, .len = static_cast<std::uint32_t>(at - bytes_.data())}};
  VB_CHECK(queue.add(segment).has_value());
  queue.publish();
}

bool StatsResponder::serve(DriverQueue& queue) {
  if (!queue.poll()) return false;
  prime(queue);
  ++answered_;
  return true;
}

}  // namespace vballoon::driver
