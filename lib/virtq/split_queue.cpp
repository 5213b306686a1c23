// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/split_queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "virtq/shared_memory.hpp"

namespace vballoon::virtq {
namespace {

constexpr std::size_t kFlagsOffset = 0;
constexpr std::size_t kRingOffset = 4;

}  // namespace

Result<SplitQueue> SplitQueue::open(const SplitAreas& areas, std::uint16_t next_avail,
                                    const gmem::GuestMemory& memory) {
  const unsigned size = areas.size;
  if (size == 0 || size > wire::kMaxQueueSize || !std::has_single_bit(size)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("queue size {} is not a power of two in [1, {}]", size, wire::kMaxQueueSize));
  }
  if (!aligned(areas.descriptors, 16) || !aligned(areas.avail, 2) || !aligned(areas.used, 4)) {
    return fail(Code::kInvalidArgument, "a ring area is not aligned as VIRTIO 1.2, 2.7 demands");
  }
  if (!memory.maps(areas.descriptors, wire::descriptor_table_bytes(size)) ||
      !memory.maps(areas.avail, wire::avail_ring_bytes(size)) ||
      !memory.maps(areas.used, wire::used_ring_bytes(size))) {
    return fail(Code::kInvalidArgument, "a ring area is not inside guest memory");
  }
  SplitQueue queue;
  queue.descriptors_ = areas.descriptors;
  queue.avail_ = areas.avail;
  queue.used_ = areas.used;
  queue.mask_ = static_cast<std::uint16_t>(size - 1);
  queue.next_avail_ = next_avail;
  queue.published_ = load16(areas.used + wire::kUsedIdxOffset, __ATOMIC_RELAXED);
  queue.next_used_ = queue.published_;
  return queue;
}

std::uint16_t SplitQueue::load_avail_idx() const noexcept {
  // Pairs with the driver's write barrier between filling a ring slot and raising the index
  // (2.7.13.3): slots and descriptors below the index are complete.
  return __atomic_load_n(watched(), __ATOMIC_ACQUIRE);
}

std::size_t SplitQueue::pop(std::span<Head> out) noexcept {
  if (fault_ != QueueFault::kNone) return 0;
  const auto ready = static_cast<std::uint16_t>(load_avail_idx() - next_avail_);
  // Together with what is held here: buffers may be held across passes, and a driver that offers
  // more than its ring is long must not make this side hold more than that.
  if (ready + outstanding_ > size()) {
    fault_ = QueueFault::kAvailTooFar;
    return 0;
  }
  const std::size_t wanted = std::min<std::size_t>(ready, out.size());
  for (std::size_t i = 0; i < wanted; ++i) {
    const std::size_t slot = next_avail_ & mask_;
    const std::uint16_t id = load16(avail_ + kRingOffset + 2 * slot, __ATOMIC_RELAXED);
    if (id > mask_) {
      fault_ = QueueFault::kHeadTooBig;
      return i;
    }
    out[i] = Head{.id = id};
    ++next_avail_;
    ++outstanding_;
  }
  return wanted;
}

void SplitQueue::stage(Head head, std::uint32_t written) noexcept {
  VB_CHECK(static_cast<std::uint16_t>(next_used_ - published_) < outstanding_);
  const wire::UsedElement element{head.id, written};
  const std::size_t slot = next_used_ & mask_;
  std::memcpy(used_ + kRingOffset + slot * sizeof(wire::UsedElement), &element, sizeof(element));
  log_.wrote(kRingOffset + slot * sizeof(wire::UsedElement), sizeof(element));
  ++next_used_;
}

bool SplitQueue::publish() noexcept {
  if (published_ == next_used_) return false;
  const std::uint16_t before = position();
  outstanding_ -= static_cast<std::uint16_t>(next_used_ - published_);
  published_ = next_used_;
  mark_.store({.published = before, .about = position(), .detail = published_});
  // Pairs with the driver's acquire of the used index: elements before the index (2.7.14).
  // Sequentially consistent, as is the load below: the index must be visible before the flag is
  // read, else a driver that clears the flag and looks at the index in between sleeps for ever
  // (2.7.7.2).
  store16(used_ + wire::kUsedIdxOffset, published_, __ATOMIC_SEQ_CST);
  log_.wrote(wire::kUsedIdxOffset, sizeof(published_));
  mark_.store({.published = position(), .about = position(), .detail = published_});
  return (load16(avail_ + kFlagsOffset, __ATOMIC_SEQ_CST) & wire::kAvailNoInterrupt) == 0;
}

void SplitQueue::keep_mark(const MarkWords& words) noexcept {
  mark_ = words;
  mark_.store({.published = position(), .about = position(), .detail = published_});
}

void SplitQueue::disable_kicks() noexcept {
  store16(used_ + kFlagsOffset, wire::kUsedNoNotify, __ATOMIC_RELEASE);
  log_.wrote(kFlagsOffset, sizeof(wire::kUsedNoNotify));
}

void SplitQueue::log_writes(DirtyLog log, const gmem::GuestMemory& memory) noexcept {
  log_ = LoggedArea(log, memory.address_of(used_));
}

}  // namespace vballoon::virtq
