// SPDX-License-Identifier: BSD-3-Clause
#include "driver/split_ring.hpp"

#include <fmt/format.h>

#include <atomic>
#include <bit>

namespace vballoon::driver {
namespace {

std::uint16_t chained(std::uint16_t flags, bool last) noexcept {
  return static_cast<std::uint16_t>(flags | (last ? 0 : wire::kDescNext));
}

}  // namespace

SplitRing::SplitRing(const QueueShape& shape)
    : next_(shape.size), length_(shape.size), in_order_(shape.in_order) {
  areas_.size = shape.size;
  for (unsigned i = 0; i < shape.size; ++i) {
    const unsigned descriptor = in_order_ ? i : shape.size - 1 - i;
    free_.push_back(static_cast<std::uint16_t>(descriptor));
  }
}

Result<std::unique_ptr<SplitRing>> SplitRing::create(const GuestRam& ram, Arena& arena,
                                                     const QueueShape& shape) {
  if (!std::has_single_bit(shape.size) || shape.size < 2 || shape.size > wire::kMaxQueueSize) {
    return fail(Code::kInvalidArgument,
                fmt::format("queue size {} is not a power of two in [2, {}]", shape.size,
                            wire::kMaxQueueSize));
  }
  std::unique_ptr<SplitRing> ring(new SplitRing(shape));
  if (auto taken = ring->take_memory(ram, arena); !taken) return tl::unexpected(taken.error());
  return ring;
}

Result<void> SplitRing::take_memory(const GuestRam& ram, Arena& arena) {
  const unsigned n = areas_.size;
  // VIRTIO 1.2, 2.7: alignments of the three areas.
  const auto descriptors = take_zeroed(ram, arena, wire::descriptor_table_bytes(n), 16);
  const auto avail = take_zeroed(ram, arena, wire::avail_ring_bytes(n), 2);
  const auto used = take_zeroed(ram, arena, wire::used_ring_bytes(n), 4);
  for (const auto* taken : {&descriptors, &avail, &used}) {
    if (!*taken) return tl::unexpected(taken->error());
  }
  areas_.descriptors = ram.at(*descriptors, wire::descriptor_table_bytes(n)).data();
  areas_.avail = ram.at(*avail, wire::avail_ring_bytes(n)).data();
  areas_.used = ram.at(*used, wire::used_ring_bytes(n)).data();
  return {};
}

std::uint16_t SplitRing::take_free() {
  const std::uint16_t descriptor = next_id();
  if (in_order_) {
    free_.pop_front();
  } else {
    free_.pop_back();
  }
  return descriptor;
}

void SplitRing::add(std::span<const wire::Descriptor> elements) {
  const std::uint16_t head = next_id();
  auto* const table = field<wire::Descriptor>(areas_.descriptors, 0);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::uint16_t at = take_free();
    const bool last = i + 1 == elements.size();
    next_[at] = last ? std::uint16_t{0} : next_id();
    table[at] = {.addr = elements[i].addr,
                 .len = elements[i].len,
                 .flags = chained(elements[i].flags, last),
                 .next = next_[at]};
  }
  add_raw(head);
  length_[head] = static_cast<std::uint16_t>(elements.size());
}

void SplitRing::fill_table(std::byte* table, std::span<const wire::Descriptor> elements) const {
  auto* const entries = field<wire::Descriptor>(table, 0);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const bool last = i + 1 == elements.size();
    entries[i] = {.addr = elements[i].addr,
                  .len = elements[i].len,
                  .flags = chained(elements[i].flags, last),
                  .next = static_cast<std::uint16_t>(last ? 0 : i + 1)};
  }
}

void SplitRing::add_raw(std::uint16_t head) {
  if (head < areas_.size) length_[head] = 0;
  const std::size_t slot = static_cast<std::uint16_t>(avail_index_ + added_) & (areas_.size - 1);
  field<std::uint16_t>(areas_.avail, sizeof(wire::AvailHeader))[slot] = head;
  ++added_;
}

void SplitRing::publish() noexcept {
  avail_index_ = static_cast<std::uint16_t>(avail_index_ + added_);
  added_ = 0;
  auto* const avail = field<wire::AvailHeader>(areas_.avail, 0);
  // Release: the device's acquire load of this index brings descriptors and ring entries along.
  std::atomic_ref(avail->idx).store(avail_index_, std::memory_order_release);
}

bool SplitRing::wants_kick() const noexcept {
  // The index must be out before the flag is read (2.7.13.4.1): else both sides may sleep.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  auto* const used = field<wire::UsedHeader>(areas_.used, 0);
  return (std::atomic_ref(used->flags).load(std::memory_order_relaxed) & wire::kUsedNoNotify) == 0;
}

void SplitRing::suppress_calls() noexcept {
  field<wire::AvailHeader>(areas_.avail, 0)->flags = wire::kAvailNoInterrupt;
}

std::optional<wire::UsedElement> SplitRing::take_used(unsigned outstanding,
                                                      Violations* violations) {
  auto* const header = field<wire::UsedHeader>(areas_.used, 0);
  // Acquire: pairs with the device's release store; its used elements are visible behind it.
  const std::uint16_t index = std::atomic_ref(header->idx).load(std::memory_order_acquire);
  const auto ahead = static_cast<std::uint16_t>(index - last_used_);
  if (ahead == 0) return std::nullopt;
  if (ahead > outstanding) {
    ++violations->index_jump;
    if (outstanding == 0) {
      last_used_ = index;
      return std::nullopt;
    }
  }
  const std::size_t slot = last_used_ & (areas_.size - 1);
  ++last_used_;
  return field<wire::UsedElement>(areas_.used, sizeof(wire::UsedHeader))[slot];
}

void SplitRing::release(std::uint16_t id) {
  std::uint16_t at = id;
  for (unsigned i = 0; i < length_[id]; ++i, at = next_[at]) free_.push_back(at);
}

RingPlace SplitRing::place() const noexcept {
  return {.descriptors = areas_.descriptors, .driver = areas_.avail, .device = areas_.used};
}

std::uint16_t SplitRing::used_position() const noexcept {
  auto* const header = field<wire::UsedHeader>(areas_.used, 0);
  return std::atomic_ref(header->idx).load(std::memory_order_acquire);
}

/// What the device took is used, or will be taken again: it may lag, by what is outstanding.
bool SplitRing::may_stand_at(std::uint16_t position) const noexcept {
  return static_cast<std::uint16_t>(avail_index_ - position) <= areas_.size;
}

}  // namespace vballoon::driver
