// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/chain_walk.hpp - the buffers of one descriptor chain, one after the other.
// Thread: the owner of the queue. A walk may rest between two steps for as long as it likes.
// Source: VIRTIO 1.2: 2.7.5 chains, 2.7.5.3 indirect tables; 2.8.6, 2.8.7 the same in a packed
// ring.
#pragma once

#include <cstdint>

#include "gmem/guest_memory.hpp"
#include "virtq/packed_queue.hpp"
#include "virtq/split_queue.hpp"

namespace vballoon::virtq {

/// One descriptor's buffer; every byte of it is guest memory.
struct Segment {
  GpaRange range;
  bool device_writes = false;
};

/// Walks one chain. Each descriptor is copied out of guest memory once and then checked, so what
/// the driver changes meanwhile is either seen whole or not at all. At most size() steps.
class ChainWalk {
 public:
  ChainWalk(const SplitQueue& queue, const gmem::GuestMemory& memory, Head head) noexcept;
  /// How long the chain is was settled when it was popped; a NEXT that changed since means nothing.
  ChainWalk(const PackedQueue& queue, const gmem::GuestMemory& memory, Head head) noexcept;

  /// Moves to the next buffer. @return false at the end of the chain or at its first fault.
  [[nodiscard]] bool next(Segment* out) noexcept;

  [[nodiscard]] ChainFault fault() const noexcept { return fault_; }

  /// Descriptors read so far: what the chain has cost, whatever is in it.
  [[nodiscard]] std::uint32_t hops() const noexcept { return hops_; }

 private:
  [[nodiscard]] bool fetch(wire::Descriptor* out) noexcept;
  void link(wire::Descriptor* raw) noexcept;
  [[nodiscard]] bool enter_indirect(const wire::Descriptor& table,
                                    wire::Descriptor* first) noexcept;
  void follow(const wire::Descriptor& current) noexcept;
  bool stop(ChainFault fault) noexcept;

  const std::byte* descriptors_;  // of the ring
  const gmem::GuestMemory* memory_;
  std::uint32_t size_;        // of the ring
  std::uint32_t index_;       // of the next descriptor in the present table
  std::uint32_t steps_left_;  // hops that the queue size still allows
  std::uint32_t hops_ = 0;
  std::uint32_t table_size_ = 0;   // descriptors of the indirect table; 0: the ring's own table
  std::uint32_t packed_left_ = 0;  // packed: descriptors to come, up to the end of chain or table
  Gpa table_;
  const bool packed_;
  bool more_ = true;
  ChainFault fault_ = ChainFault::kNone;
};

}  // namespace vballoon::virtq
