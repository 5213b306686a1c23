// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/queue_fixture.hpp - a ring in guest memory with both of its sides.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/driver_ring.hpp"
#include "support/guest_ram.hpp"
#include "virtq/chain_walk.hpp"
#include "virtq/split_queue.hpp"

namespace vballoon::virtq {

/// Guest memory of a fixture: 1 MiB for buffers and tables, in two regions.
inline constexpr Gpa kBuffers{16 * kMiB};
inline constexpr Gpa kBorder{kBuffers.value + 512 * kKiB};
inline constexpr Gpa kEnd{kBuffers.value + kMiB};
inline const test::Piece kOne{kBuffers, 4, false};

struct Walked {
  std::vector<Segment> segments;
  ChainFault fault = ChainFault::kNone;
};

/// The ring begins at 0. The two regions for buffers, behind a hole, are neighbours in the guest
/// and apart in the file.
template <typename DriverSide, typename DeviceSide>
class RingFixture {
 public:
  /// @param begin_at  where both sides stand at first.
  RingFixture(unsigned size, std::uint16_t begin_at, bool fresh)
      : ram_({{Gpa{0}, 4 * kMiB, 4 * kMiB},
              {kBuffers, 512 * kKiB, 2 * kMiB},
              {kBorder, 512 * kKiB, kMiB}}),
        memory_(ram_.map()),
        ring_(ram_, Gpa{0}, size),
        queue_(open(begin_at, fresh)) {}

  [[nodiscard]] const test::GuestRam& ram() const { return ram_; }
  [[nodiscard]] const gmem::GuestMemory& memory() const { return *memory_; }
  [[nodiscard]] DriverSide& ring() { return ring_; }
  [[nodiscard]] DeviceSide& queue() { return queue_; }

  /// Pops at most `most` heads, which may take several calls.
  std::vector<Head> pop_heads(std::size_t most) {
    std::vector<Head> heads(most);
    heads.resize(queue_.pop(heads));
    return heads;
  }
  std::vector<unsigned> pop_ids(std::size_t most) {
    std::vector<unsigned> ids;
    for (const Head head : pop_heads(most)) ids.push_back(head.id);
    return ids;
  }

  [[nodiscard]] Walked walk(Head head) const {
    Walked walked;
    ChainWalk walk(queue_, *memory_, head);
    for (Segment segment; walk.next(&segment);) walked.segments.push_back(segment);
    walked.fault = walk.fault();
    Segment after;
    EXPECT_FALSE(walk.next(&after)) << "a walk that has ended stays ended";
    EXPECT_EQ(walk.fault(), walked.fault);
    return walked;
  }

 private:
  DeviceSide open(std::uint16_t begin_at, bool fresh) {
    if (!fresh) ring_.begin_at(begin_at);
    return DeviceSide::open(ring_.areas(), begin_at, *memory_).value();
  }

  test::GuestRam ram_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  DriverSide ring_;
  DeviceSide queue_;
};

class QueueFixture : public RingFixture<test::DriverRing, SplitQueue> {
 public:
  explicit QueueFixture(unsigned size, std::uint16_t begin_at = 0)
      : RingFixture(size, begin_at, false) {}

  /// Pops at most `most` heads.
  std::vector<unsigned> pop(std::size_t most) { return pop_ids(most); }
  [[nodiscard]] Walked walk(std::uint16_t head) const { return RingFixture::walk(Head{head}); }
};

}  // namespace vballoon::virtq
