// SPDX-License-Identifier: BSD-3-Clause
#include "driver/ring_set.hpp"

#include <fmt/format.h>

namespace vballoon::driver {
namespace {

wire::VringAddresses addresses_of(unsigned number, const virtq::SplitAreas& areas) noexcept {
  return {.index = number,
          .descriptors = reinterpret_cast<std::uintptr_t>(areas.descriptors),
          .used = reinterpret_cast<std::uintptr_t>(areas.used),
          .available = reinterpret_cast<std::uintptr_t>(areas.avail)};
}

}  // namespace

Result<RingSet> RingSet::create(const GuestRam& ram, Arena& arena, const QueueNumbers& numbers,
                                const QueueShapes& shapes) {
  RingSet set;
  for (std::size_t role = 0; role < kRoles; ++role) {
    if (!numbers[role]) continue;
    auto queue = DriverQueue::create(ram, arena, shapes[role]);
    if (!queue) return tl::unexpected(queue.error());
    set.rings_[role].emplace(Ring{.queue = *std::move(queue), .number = *numbers[role]});
  }
  return set;
}

Result<void> RingSet::start_ring(FrontEnd& front_end, const Ring& ring, bool enable) {
  const unsigned number = ring.number;
  return front_end.set_vring_num(number, ring.queue.size())
      .and_then([&] { return front_end.set_vring_base(number, ring.base); })
      .and_then([&] { return front_end.set_vring_addr(addresses_of(number, ring.queue.areas())); })
      .and_then([&] { return front_end.set_vring_call(number, ring.queue.call_fd()); })
      .and_then([&] { return front_end.set_vring_kick(number, ring.queue.kick_fd()); })
      .and_then([&] { return enable ? front_end.set_vring_enable(number, true) : Result<void>{}; });
}

Result<void> RingSet::start(FrontEnd& front_end, bool enable) {
  for (auto& ring : rings_) {
    if (!ring) continue;
    if (auto started = start_ring(front_end, *ring, enable); !started) return started;
  }
  return {};
}

Result<void> RingSet::stop(FrontEnd& front_end) {
  for (auto& ring : rings_) {
    if (!ring) continue;
    const auto base = front_end.get_vring_base(ring->number);
    if (!base) return tl::unexpected(base.error());
    // What the device took is used, or will be taken again: it may lag, by what is outstanding.
    const auto behind = static_cast<std::uint16_t>(ring->queue.avail_index() - *base);
    if (behind > ring->queue.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("queue {} was stopped at {}, but its avail index is {}", ring->number,
                              *base, ring->queue.avail_index()));
    }
    ring->base = *base;
  }
  return {};
}

DriverQueue* RingSet::find(Role role) noexcept {
  auto& ring = rings_[static_cast<std::size_t>(role)];
  return ring ? &ring->queue : nullptr;
}

const DriverQueue* RingSet::find(Role role) const noexcept {
  const auto& ring = rings_[static_cast<std::size_t>(role)];
  return ring ? &ring->queue : nullptr;
}

std::optional<unsigned> RingSet::number(Role role) const noexcept {
  const auto& ring = rings_[static_cast<std::size_t>(role)];
  return ring ? std::optional(ring->number) : std::nullopt;
}

Violations RingSet::violations() const noexcept {
  Violations sum;
  for (const auto& ring : rings_) {
    if (ring) sum = sum + ring->queue.violations();
  }
  return sum;
}

}  // namespace vballoon::driver
