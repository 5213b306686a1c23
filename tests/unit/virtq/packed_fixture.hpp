// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/packed_fixture.hpp - a packed ring in guest memory with both of its sides.
// Layer:  tests of virtq.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "queue_fixture.hpp"
#include "support/packed_ring.hpp"
#include "virtq/packed_queue.hpp"

namespace vballoon::virtq {

/// Guest memory as QueueFixture has it.
class PackedFixture {
 public:
  static constexpr Gpa kBuffers = QueueFixture::kBuffers;
  static constexpr Gpa kBorder = QueueFixture::kBorder;
  static constexpr Gpa kEnd = QueueFixture::kEnd;

  explicit PackedFixture(unsigned size, std::uint16_t begin_at = kPackedBegin)
      : ram_({{Gpa{0}, 4 * kMiB, 4 * kMiB},
              {kBuffers, 512 * kKiB, 2 * kMiB},
              {kBorder, 512 * kKiB, kMiB}}),
        memory_(ram_.map()),
        ring_(ram_, Gpa{0}, size),
        queue_(open(begin_at)) {}

  [[nodiscard]] const test::GuestRam& ram() const { return ram_; }
  [[nodiscard]] const gmem::GuestMemory& memory() const { return *memory_; }
  [[nodiscard]] test::PackedRing& ring() { return ring_; }
  [[nodiscard]] PackedQueue& queue() { return queue_; }

  /// Pops at most `most` heads, which may take several calls.
  std::vector<Head> pop(std::size_t most) {
    std::vector<Head> heads(most);
    heads.resize(queue_.pop(heads));
    return heads;
  }
  std::vector<unsigned> pop_ids(std::size_t most) {
    std::vector<unsigned> ids;
    for (const Head head : pop(most)) ids.push_back(head.id);
    return ids;
  }
  void give_back(const std::vector<Head>& heads) {
    for (const Head head : heads) queue_.stage(head, 0);
  }

  [[nodiscard]] QueueFixture::Walked walk(Head head) const {
    QueueFixture::Walked walked;
    ChainWalk walk(queue_, *memory_, head);
    for (Segment segment; walk.next(&segment);) walked.segments.push_back(segment);
    walked.fault = walk.fault();
    Segment after;
    EXPECT_FALSE(walk.next(&after)) << "a walk that has ended stays ended";
    EXPECT_EQ(walk.fault(), walked.fault);
    return walked;
  }
  /// Adds a chain of descriptors as they are, and walks it.
  [[nodiscard]] QueueFixture::Walked walk_chain(const std::vector<PackedDescriptor>& chain) {
    ring_.add(1, chain);
    const auto heads = pop(1);
    EXPECT_EQ(heads.size(), 1U);
    const auto walked = walk(heads.at(0));
    give_back(heads);
    EXPECT_TRUE(queue_.publish());
    EXPECT_EQ(ring_.collect(), (std::vector<std::uint32_t>{1}));
    return walked;
  }

 private:
  PackedQueue open(std::uint16_t begin_at) {
    if (begin_at != kPackedBegin) ring_.begin_at(begin_at);
    return PackedQueue::open(ring_.areas(), begin_at, *memory_).value();
  }

  test::GuestRam ram_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  test::PackedRing ring_;
  PackedQueue queue_;
};

}  // namespace vballoon::virtq
