// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/queue_fixture.hpp - a ring in guest memory with both of its sides.
// Layer:  tests of virtq.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/driver_ring.hpp"
#include "support/guest_ram.hpp"
#include "virtq/chain_walk.hpp"
#include "virtq/split_queue.hpp"

namespace vballoon::virtq {

/// Guest memory: the ring from 0 on, and behind a hole 1 MiB for buffers and tables, in two regions
/// that are neighbours in the guest and apart in the file.
class QueueFixture {
 public:
  static constexpr Gpa kBuffers{16 * kMiB};
  static constexpr Gpa kBorder{16 * kMiB + 512 * kKiB};
  static constexpr Gpa kEnd{17 * kMiB};

  explicit QueueFixture(unsigned size, std::uint16_t begin_at = 0)
      : ram_({{Gpa{0}, 4 * kMiB, 4 * kMiB},
              {kBuffers, 512 * kKiB, 2 * kMiB},
              {kBorder, 512 * kKiB, kMiB}}),
        memory_(ram_.map()),
        ring_(ram_, Gpa{0}, size),
        queue_(open(begin_at)) {}

  [[nodiscard]] const test::GuestRam& ram() const { return ram_; }
  [[nodiscard]] const gmem::GuestMemory& memory() const { return *memory_; }
  [[nodiscard]] test::DriverRing& ring() { return ring_; }
  [[nodiscard]] SplitQueue& queue() { return queue_; }

  /// Pops at most `most` heads.
  std::vector<unsigned> pop(std::size_t most) {
    std::vector<Head> heads(most);
    heads.resize(queue_.pop(heads));
    std::vector<unsigned> ids;
    for (const Head head : heads) ids.push_back(head.id);
    return ids;
  }

  struct Walked {
    std::vector<Segment> segments;
    ChainFault fault = ChainFault::kNone;
  };
  [[nodiscard]] Walked walk(std::uint16_t head) const {
    Walked walked;
    ChainWalk walk(queue_, *memory_, Head{head});
    for (Segment segment; walk.next(&segment);) walked.segments.push_back(segment);
    walked.fault = walk.fault();
    Segment after;
    EXPECT_FALSE(walk.next(&after)) << "a walk that has ended stays ended";
    EXPECT_EQ(walk.fault(), walked.fault);
    return walked;
  }

 private:
  SplitQueue open(std::uint16_t begin_at) {
    ring_.begin_at(begin_at);
    return SplitQueue::open(ring_.areas(), begin_at, *memory_).value();
  }

  test::GuestRam ram_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  test::DriverRing ring_;
  SplitQueue queue_;
};

}  // namespace vballoon::virtq
