// SPDX-License-Identifier: BSD-3-Clause
#include "driver/ring_set.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vballoon::driver {
namespace {

wire::VringAddresses addresses_of(unsigned number, const RingPlace& place) noexcept {
  return {.index = number,
          .descriptors = reinterpret_cast<std::uintptr_t>(place.descriptors),
          .used = reinterpret_cast<std::uintptr_t>(place.device),
          .available = reinterpret_cast<std::uintptr_t>(place.driver)};
}

/// Of a packed ring the used position comes with the available one; nothing is held by a device
/// that has stopped, so they are the same.
std::uint32_t base_of(const DriverQueue& queue, std::uint16_t position) noexcept {
  return queue.packed() ? position | std::uint32_t{position} << 16U : position;
}

}  // namespace

Result<RingSet> RingSet::create(const GuestRam& ram, Arena& arena, const QueueNumbers& numbers,
                                const QueueShapes& shapes) {
  RingSet set;
  for (std::size_t role = 0; role < kRoles; ++role) {
    if (!numbers[role]) continue;
    auto queue = DriverQueue::create(ram, arena, shapes[role]);
    if (!queue) return tl::unexpected(queue.error());
    const std::uint16_t begin = queue->place().begin;
    set.rings_[role].emplace(
        Ring{.queue = *std::move(queue), .number = *numbers[role], .base = begin});
  }
  return set;
}

Result<void> RingSet::start_ring(FrontEnd& front_end, const Ring& ring, bool enable) {
  const unsigned number = ring.number;
  return front_end.set_vring_num(number, ring.queue.size())
      .and_then([&] { return front_end.set_vring_base(number, base_of(ring.queue, ring.base)); })
      .and_then([&] { return front_end.set_vring_addr(addresses_of(number, ring.queue.place())); })
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
    if (!ring->queue.may_stand_at(*base)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("queue {} was stopped at {:#x}, where it cannot have been",
                              ring->number, *base));
    }
    ring->base = *base;
  }
  return {};
}

void RingSet::abandon(bool told) noexcept {
  for (auto& ring : rings_) {
    if (ring) ring->base = told ? ring->queue.avail_position() : ring->queue.used_position();
  }
}

void RingSet::excuse_missing_calls() noexcept {
  for (auto& ring : rings_) {
    if (ring) ring->queue.excuse_missing_call();
  }
}

void RingSet::expect_owed_calls(Deadline deadline) noexcept {
  for (auto& ring : rings_) {
    if (ring) ring->queue.expect_owed_call(deadline);
  }
}

unsigned RingSet::count() const noexcept {
  unsigned highest = 0;
  for (const auto& ring : rings_) {
    if (ring) highest = std::max(highest, ring->number + 1);
  }
  return highest;
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
