// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/chain_walk.hpp"

#include <array>
#include <cstring>

namespace vballoon::virtq {

ChainWalk::ChainWalk(const SplitQueue& queue, const gmem::GuestMemory& memory, Head head) noexcept
    : queue_(&queue), memory_(&memory), index_(head.id), steps_left_(queue.size()) {}

bool ChainWalk::next(Segment* out) noexcept {
  if (!more_) return false;
  Descriptor current;
  if (!fetch(&current)) return false;
  if ((current.flags & kDescIndirect) != 0) {
    Descriptor first;
    if (!enter_indirect(current, &first)) return false;
    current = first;
  }
  const GpaRange range{Gpa{current.addr}, current.len};
  if (!memory_->contains(range)) return stop(ChainFault::kOutsideMemory);
  follow(current);
  *out = Segment{range, (current.flags & kDescWrite) != 0};
  return true;
}

bool ChainWalk::fetch(Descriptor* out) noexcept {
  const std::uint32_t table_size = table_size_ != 0 ? table_size_ : queue_->size();
  if (index_ >= table_size) return stop(ChainFault::kNextTooBig);
  if (steps_left_ == 0) return stop(ChainFault::kTooLong);
  --steps_left_;
  ++hops_;
  if (table_size_ == 0) {
    *out = queue_->descriptor(static_cast<std::uint16_t>(index_));
    return true;
  }
  std::array<std::byte, sizeof(Descriptor)> raw;
  const Gpa at{table_.value + std::uint64_t{index_} * sizeof(Descriptor)};
  if (!memory_->read(at, raw)) return stop(ChainFault::kBadIndirectTable);
  std::memcpy(out, raw.data(), raw.size());
  return true;
}

bool ChainWalk::enter_indirect(const Descriptor& table, Descriptor* first) noexcept {
  if (table_size_ != 0) return stop(ChainFault::kNestedIndirect);
  if ((table.flags & kDescNext) != 0) return stop(ChainFault::kIndirectAndNext);
  const std::uint32_t count = table.len / sizeof(Descriptor);
  if (count == 0 || table.len % sizeof(Descriptor) != 0 ||
      !memory_->contains(GpaRange{Gpa{table.addr}, table.len})) {
    return stop(ChainFault::kBadIndirectTable);
  }
  table_ = Gpa{table.addr};
  table_size_ = count;
  index_ = 0;
  // A table may be as long as the queue; the descriptor that led here is not one of its entries.
  steps_left_ = queue_->size();
  if (!fetch(first)) return false;
  if ((first->flags & kDescIndirect) != 0) return stop(ChainFault::kNestedIndirect);
  return true;
}

void ChainWalk::follow(const Descriptor& current) noexcept {
  more_ = (current.flags & kDescNext) != 0;
  index_ = current.next;
}

bool ChainWalk::stop(ChainFault fault) noexcept {
  more_ = false;
  fault_ = fault;
  return false;
}

}  // namespace vballoon::virtq
