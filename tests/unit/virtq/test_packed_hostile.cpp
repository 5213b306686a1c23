// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_packed_hostile.cpp - a packed ring that no honest driver writes.
// Source: VIRTIO 1.2, 2.8.6, 2.8.20, 2.8.21; section 5 of the design, 5.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "packed_fixture.hpp"

namespace vballoon::virtq {
namespace {

// 2.8.6: AVAIL and USED are right in every descriptor of a chain, not in its first alone.
TEST(PackedHostile, AChainIntoWhatIsNotAvailableBreaksTheQueue) {
  PackedFixture f(8);
  f.ring().send(1, {kOne});
  f.ring().set(1, {kBuffers.value, 4, 2, wire::kPackedAvail | wire::kDescNext});
  EXPECT_EQ(f.pop_ids(8), (std::vector<unsigned>{1})) << "what came before is still good";
  EXPECT_EQ(f.queue().fault(), QueueFault::kChainNotAvailable);
  f.ring().set(2, {kBuffers.value, 4, 2, wire::kPackedAvail});
  EXPECT_TRUE(f.pop(8).empty()) << "broken until it is opened anew";
  EXPECT_EQ(f.queue().outstanding(), 1U);
  f.queue().stage(Head{1, 0, 1}, 0);
  EXPECT_TRUE(f.queue().publish()) << "what was taken is still returned";
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{1}));
}

// 2.8.20: no chain is longer than the ring: with NEXT everywhere it comes to its own head.
TEST(PackedHostile, AChainAroundTheRingBreaksTheQueue) {
  for (const unsigned size : {1U, 2U, 5U, 1024U, 3000U}) {
    PackedFixture f(size);
    for (unsigned i = 0; i < size; ++i)
      f.ring().set(i, {kBuffers.value, 4, 0, wire::kPackedAvail | wire::kDescNext});
    for (unsigned calls = 0; calls < 10; ++calls) EXPECT_TRUE(f.pop(8).empty());
    EXPECT_EQ(f.queue().fault(), QueueFault::kChainNotAvailable) << size;
    EXPECT_EQ(f.queue().outstanding(), 0U);
  }
}

// 2.8.17: what this side holds is not the driver's to make available again.
TEST(PackedHostile, WhatIsHeldIsNotTakenAgain) {
  for (const unsigned size : {1U, 4U, 7U}) {
    PackedFixture f(size);
    for (unsigned i = 0; i < size; ++i) f.ring().send(static_cast<std::uint16_t>(i), {kOne});
    ASSERT_EQ(f.pop(size).size(), size);
    // As if of the next lap.
    for (unsigned i = 0; i < size; ++i) f.ring().set_flags(i, wire::kPackedUsed);
    EXPECT_TRUE(f.pop(1).empty());
    EXPECT_EQ(f.queue().fault(), QueueFault::kAvailNotUsed) << size;
    EXPECT_EQ(f.queue().outstanding(), size);
  }
}

// A chain cannot reach into descriptors that are held, though their flags say so.
TEST(PackedHostile, AChainIntoWhatIsHeldBreaksTheQueue) {
  PackedFixture f(4);
  f.ring().send(0, {kOne});
  f.ring().send(1, {kOne});
  ASSERT_EQ(f.pop(2).size(), 2U);
  f.ring().set(2, {kBuffers.value, 4, 2, wire::kPackedAvail | wire::kDescNext});
  f.ring().set(3, {kBuffers.value, 4, 2, wire::kPackedAvail | wire::kDescNext});
  f.ring().set_flags(0, wire::kPackedUsed);
  EXPECT_TRUE(f.pop(8).empty());
  EXPECT_EQ(f.queue().fault(), QueueFault::kAvailNotUsed);
  EXPECT_EQ(f.queue().outstanding(), 2U);
}

// A head that is taken back while its chain's end is looked for.
TEST(PackedHostile, AHeadWithdrawnInTheMiddleOfALongScan) {
  constexpr unsigned kSize = 5000;
  PackedFixture f(kSize);
  f.ring().send(3, std::vector<test::Piece>(kSize, kOne));
  EXPECT_TRUE(f.pop(1).empty()) << "not at the end yet";
  f.ring().set_flags(0, 0);
  EXPECT_TRUE(f.queue().has_work()) << "begun, and so gone on with";
  std::vector<Head> heads;
  for (unsigned calls = 0; calls < 10 && heads.empty(); ++calls) heads = f.pop(1);
  ASSERT_EQ(heads.size(), 1U);
  EXPECT_EQ(heads[0].count, kSize);
}

TEST(PackedHostile, ARingOfNoiseNeverTakesMoreThanThereIs) {
  std::size_t taken = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 generator(seed);
    const auto random = [&generator] { return static_cast<unsigned>(generator()); };
    const unsigned size = 1 + random() % 70;
    PackedFixture f(size, static_cast<std::uint16_t>(random() % size | (random() & 0x8000)));
    for (unsigned step = 0; step < 400; ++step) {
      const auto flags = static_cast<std::uint16_t>(random() & 0x8087);
      f.ring().set(random() % size,
                   {random() % (32 * kMiB), static_cast<std::uint32_t>(random() % 8192),
                    static_cast<std::uint16_t>(random()), flags});
      const auto heads = f.pop(1 + random() % 5);
      taken += heads.size();
      ASSERT_LE(f.queue().outstanding(), size);
      for (const Head head : heads) {
        ASSERT_LE(f.walk(head).segments.size(), size);
        f.queue().stage(head, 0);
      }
      static_cast<void>(f.queue().publish());
      if (f.queue().fault() == QueueFault::kNone) continue;
      f.queue() = PackedQueue::open(f.ring().areas(), f.queue().position(), f.memory()).value();
    }
  }
  EXPECT_GT(taken, 1000U) << "hardly any noise was a chain";
}

// The driver rewrites the ring as fast as it can while chains are taken and walked.
TEST(PackedHostile, ARingThatChangesWhileItIsRead) {
  constexpr unsigned kSize = 16;
  PackedFixture f(kSize);
  std::atomic<bool> stop{false};
  std::thread driver([&] {
    std::mt19937 generator(1);
    const auto random = [&generator] { return static_cast<unsigned>(generator()); };
    while (!stop) {
      f.ring().set_flags(random() % kSize, static_cast<std::uint16_t>(random() & 0x8087));
    }
  });
  // On a busy machine the driver may not run before all of the rounds are over.
  constexpr std::size_t kEnough = 100;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::size_t taken = 0;
  for (unsigned round = 0; round < 200'000 || taken < kEnough; ++round) {
    if (round >= 200'000 && std::chrono::steady_clock::now() >= end) break;
    const auto heads = f.pop(4);
    taken += heads.size();
    ASSERT_LE(f.queue().outstanding(), kSize);
    for (const Head head : heads) {
      ChainWalk walk(f.queue(), f.memory(), head);
      unsigned segments = 0;
      for (Segment segment; walk.next(&segment);) ++segments;
      ASSERT_LE(segments, kSize);
      f.queue().stage(head, 0);
    }
    static_cast<void>(f.queue().publish());
    if (f.queue().fault() == QueueFault::kNone) continue;
    f.queue() = PackedQueue::open(f.ring().areas(), f.queue().position(), f.memory()).value();
  }
  stop = true;
  driver.join();
  EXPECT_GE(taken, kEnough) << "too few chains were ever there";
}

}  // namespace
}  // namespace vballoon::virtq
