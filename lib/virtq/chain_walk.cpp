// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/chain_walk.hpp"

#include <array>
#include <bit>
#include <cstring>

#include "base/copy_once.hpp"

namespace vballoon::virtq {

ChainWalk::ChainWalk(const SplitQueue& queue, const gmem::GuestMemory& memory, Head head) noexcept
    : descriptors_(queue.descriptors()),
      memory_(&memory),
      size_(queue.size()),
      index_(head.id),
      steps_left_(size_),
      packed_(false) {}

ChainWalk::ChainWalk(const PackedQueue& queue, const gmem::GuestMemory& memory, Head head) noexcept
    : descriptors_(queue.descriptors()),
      memory_(&memory),
      size_(queue.size()),
      index_(head.first),
      steps_left_(size_),
      packed_left_(head.count),
      packed_(true) {}

bool ChainWalk::next(Segment* out) noexcept {
  if (!more_) return false;
  wire::Descriptor current;
  if (!fetch(&current)) return false;
  if ((current.flags & wire::kDescIndirect) != 0) {
    wire::Descriptor first;
    if (!enter_indirect(current, &first)) return false;
    current = first;
  }
  const GpaRange range{Gpa{current.addr}, current.len};
  if (!memory_->contains(range)) return stop(ChainFault::kOutsideMemory);
  follow(current);
  *out = Segment{range, (current.flags & wire::kDescWrite) != 0};
  return true;
}

bool ChainWalk::fetch(wire::Descriptor* out) noexcept {
  const std::uint32_t table_size = table_size_ != 0 ? table_size_ : size_;
  if (index_ >= table_size) return stop(ChainFault::kNextTooBig);
  if (steps_left_ == 0) return stop(ChainFault::kTooLong);
  --steps_left_;
  ++hops_;
  const std::uint64_t offset = std::uint64_t{index_} * sizeof(wire::Descriptor);
  if (table_size_ == 0) {
    *out = load_once<wire::Descriptor>(descriptors_ + offset);
  } else {
    std::array<std::byte, sizeof(wire::Descriptor)> raw;
    if (!memory_->read(Gpa{table_.value + offset}, raw)) return stop(ChainFault::kBadIndirectTable);
    std::memcpy(out, raw.data(), raw.size());
  }
  if (packed_) link(out);
  return true;
}

/// Makes a packed descriptor read like a split one. Those of a chain or table lie one behind the
/// other. In a table only WRITE means anything (2.8.7).
void ChainWalk::link(wire::Descriptor* raw) noexcept {
  const auto packed = std::bit_cast<wire::PackedDescriptor>(*raw);
  const bool in_ring = table_size_ == 0;
  const std::uint16_t kept = packed.flags & (in_ring ? wire::kDescWrite | wire::kDescIndirect
                                                     : std::uint16_t{wire::kDescWrite});
  --packed_left_;
  raw->flags = static_cast<std::uint16_t>(kept | (packed_left_ != 0 ? wire::kDescNext : 0));
  raw->next = static_cast<std::uint16_t>(in_ring && index_ + 1 == size_ ? 0 : index_ + 1);
}

bool ChainWalk::enter_indirect(const wire::Descriptor& table, wire::Descriptor* first) noexcept {
  if (table_size_ != 0) return stop(ChainFault::kNestedIndirect);
  // A split chain may end in a table, a packed one is a table or has none (2.8.21).
  if ((table.flags & wire::kDescNext) != 0 || (packed_ && hops_ != 1)) {
    return stop(ChainFault::kIndirectAndNext);
  }
  const std::uint32_t count = table.len / sizeof(wire::Descriptor);
  if (count == 0 || table.len % sizeof(wire::Descriptor) != 0 ||
      !memory_->contains(GpaRange{Gpa{table.addr}, table.len})) {
    return stop(ChainFault::kBadIndirectTable);
  }
  table_ = Gpa{table.addr};
  table_size_ = count;
  packed_left_ = count;
  index_ = 0;
  // A table may be as long as the queue; the descriptor that led here is not one of its entries.
  steps_left_ = size_;
  if (!fetch(first)) return false;
  if ((first->flags & wire::kDescIndirect) != 0) return stop(ChainFault::kNestedIndirect);
  return true;
}

void ChainWalk::follow(const wire::Descriptor& current) noexcept {
  more_ = (current.flags & wire::kDescNext) != 0;
  index_ = current.next;
}

bool ChainWalk::stop(ChainFault fault) noexcept {
  more_ = false;
  fault_ = fault;
  return false;
}

}  // namespace vballoon::virtq
