// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_chain_direct.cpp - chains in the ring's own descriptor table.
// Source: VIRTIO 1.2, 2.7.5, 2.7.5.2.
#include <gtest/gtest.h>

#include <atomic>
#include <initializer_list>
#include <thread>

#include "queue_fixture.hpp"

namespace vballoon::virtq {
namespace {

Gpa plus(Gpa gpa, std::uint64_t bytes) {
  return Gpa{gpa.value + bytes};
}

// 2.7.5: addr, len, WRITE and next are what the descriptor says.
TEST(DirectChain, YieldsEveryDescriptorInOrder) {
  QueueFixture f(8);
  f.ring().set_descriptor(5, {kBuffers.value, 100, wire::kDescNext, 2});
  f.ring().set_descriptor(2, {kBuffers.value + 4096, 7, wire::kDescNext | wire::kDescWrite, 7});
  f.ring().set_descriptor(7, {kBuffers.value + 8192, 1, 0, 3});
  const auto walked = f.walk(5);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 3U);
  EXPECT_EQ(walked.segments[0].range, (GpaRange{kBuffers, 100}));
  EXPECT_FALSE(walked.segments[0].device_writes);
  EXPECT_EQ(walked.segments[1].range, (GpaRange{plus(kBuffers, 4096), 7}));
  EXPECT_TRUE(walked.segments[1].device_writes);
  EXPECT_EQ(walked.segments[2].range, (GpaRange{plus(kBuffers, 8192), 1}));
}

// 2.7.5: next counts only where NEXT is set.
TEST(DirectChain, NextWithoutItsFlagMeansNothing) {
  QueueFixture f(4);
  f.ring().set_descriptor(1, {kBuffers.value, 16, 0, 0xffff});
  const auto walked = f.walk(1);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  EXPECT_EQ(walked.segments.size(), 1U);
}

// 2.7.5: flag bits that are not NEXT, WRITE or INDIRECT are not defined, and do not disturb.
TEST(DirectChain, UnknownFlagsAreIgnored) {
  QueueFixture f(4);
  f.ring().set_descriptor(0, {kBuffers.value, 16, 0xfff8, 2});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 1U);
  EXPECT_FALSE(walked.segments[0].device_writes);
}

// 2.7.5: next is below the queue size.
TEST(DirectChain, NextBeyondTheTableIsAFault) {
  QueueFixture f(8);
  for (const std::uint16_t next : std::initializer_list<std::uint16_t>{8, 9, 255, 32768, 65535}) {
    f.ring().set_descriptor(0, {kBuffers.value, 16, wire::kDescNext, next});
    const auto walked = f.walk(0);
    EXPECT_EQ(walked.fault, ChainFault::kNextTooBig) << next;
    EXPECT_EQ(walked.segments.size(), 1U) << "what came before the fault was handed out";
  }
}

// 2.7.5.2: a chain has no loop; at most the queue size of descriptors is looked at.
TEST(DirectChain, ALoopEndsAfterTheQueueSize) {
  for (const unsigned size : {1U, 2U, 8U, 128U}) {
    QueueFixture f(size);
    for (unsigned i = 0; i < size; ++i) {
      f.ring().set_descriptor(
          i, {kBuffers.value, 4, wire::kDescNext, static_cast<std::uint16_t>((i + 1) % size)});
    }
    const auto walked = f.walk(0);
    EXPECT_EQ(walked.fault, ChainFault::kTooLong) << size;
    EXPECT_EQ(walked.segments.size(), size);
  }
}

TEST(DirectChain, ADescriptorThatPointsToItselfIsALoop) {
  QueueFixture f(8);
  f.ring().set_descriptor(3, {kBuffers.value, 4, wire::kDescNext, 3});
  EXPECT_EQ(f.walk(3).fault, ChainFault::kTooLong);
}

// 2.7.5.2: a chain may be as long as the queue.
TEST(DirectChain, TheLongestLegalChainIsTakenWhole) {
  for (const unsigned size : {1U, 2U, 128U, 32768U}) {
    QueueFixture f(size);
    for (unsigned i = 0; i < size; ++i) {
      const bool last = i + 1 == size;
      f.ring().set_descriptor(
          i, {kBuffers.value + i, 1, static_cast<std::uint16_t>(last ? 0 : wire::kDescNext),
              static_cast<std::uint16_t>(i + 1)});
    }
    const auto walked = f.walk(0);
    EXPECT_EQ(walked.fault, ChainFault::kNone) << size;
    ASSERT_EQ(walked.segments.size(), size);
    EXPECT_EQ(walked.segments.back().range.first, plus(kBuffers, size - 1));
  }
}

TEST(DirectChain, EveryByteMustBeGuestMemory) {
  QueueFixture f(4);
  const auto fault_of = [&f](std::uint64_t addr, std::uint32_t len) {
    f.ring().set_descriptor(0, {addr, len, 0, 0});
    return f.walk(0).fault;
  };
  EXPECT_EQ(fault_of(kEnd.value - 16, 16), ChainFault::kNone);
  EXPECT_EQ(fault_of(kEnd.value - 16, 17), ChainFault::kOutsideMemory);
  EXPECT_EQ(fault_of(kEnd.value, 1), ChainFault::kOutsideMemory);
  EXPECT_EQ(fault_of(kBuffers.value - 1, 2), ChainFault::kOutsideMemory);
  EXPECT_EQ(fault_of(8 * kMiB, 16), ChainFault::kOutsideMemory) << "in the hole";
  EXPECT_EQ(fault_of(4 * kMiB - 4, UINT32_MAX), ChainFault::kOutsideMemory) << "across the hole";
  EXPECT_EQ(fault_of(UINT64_MAX, 2), ChainFault::kOutsideMemory) << "wraps around";
  EXPECT_EQ(fault_of(UINT64_MAX - 3, 4), ChainFault::kOutsideMemory);
}

TEST(DirectChain, ABufferMayCrossFromARegionIntoItsNeighbour) {
  QueueFixture f(4);
  f.ring().set_descriptor(0, {kBorder.value - 8, 16, 0, 0});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 1U);
  EXPECT_EQ(walked.segments[0].range, (GpaRange{Gpa{kBorder.value - 8}, 16}));
}

TEST(DirectChain, NoBytesNeedNoMemory) {
  QueueFixture f(4);
  f.ring().set_descriptor(0, {UINT64_MAX, 0, wire::kDescNext, 1});
  f.ring().set_descriptor(1, {kBuffers.value, 4, 0, 0});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 2U);
  EXPECT_EQ(walked.segments[0].range.bytes, 0U);
}

TEST(DirectChain, AFaultLeavesTheRestUnseen) {
  QueueFixture f(4);
  f.ring().set_descriptor(0, {kBuffers.value, 4, wire::kDescNext, 1});
  f.ring().set_descriptor(1, {kEnd.value, 4, wire::kDescNext, 2});
  f.ring().set_descriptor(2, {kBuffers.value, 4, 0, 0});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kOutsideMemory);
  EXPECT_EQ(walked.segments.size(), 1U);
}

TEST(DirectChain, AWalkMayRestAndSeesWhatIsThereWhenItGoesOn) {
  QueueFixture f(4);
  f.ring().set_descriptor(0, {kBuffers.value, 4, wire::kDescNext, 1});
  f.ring().set_descriptor(1, {kBuffers.value, 8, 0, 0});
  ChainWalk walk(f.queue(), f.memory(), Head{0});
  Segment segment;
  ASSERT_TRUE(walk.next(&segment));
  // What was handed out was a copy; only what was not read yet is read as it now is.
  f.ring().set_descriptor(0, {kEnd.value, 99, 0, 3});
  f.ring().set_descriptor(1, {kBuffers.value + 64, 16, wire::kDescWrite, 0});
  EXPECT_EQ(segment.range, (GpaRange{kBuffers, 4}));
  ASSERT_TRUE(walk.next(&segment));
  EXPECT_EQ(segment.range, (GpaRange{plus(kBuffers, 64), 16}));
  EXPECT_TRUE(segment.device_writes);
  EXPECT_FALSE(walk.next(&segment));
}

// What is returned is what was checked, whatever the driver writes meanwhile. Does not prove that a
// descriptor is never seen half old and half new: that may happen, and is checked as it was read.
TEST(DirectChain, WhatIsReturnedWasCheckedWhileTheDriverWritesOn) {
  QueueFixture f(2);
  std::atomic<bool> started{false};
  std::atomic<bool> stop{false};
  std::thread driver([&] {
    for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      // Good, too long, elsewhere: the address and the length change on their own.
      f.ring().set_descriptor(
          0, {i % 2 == 0 ? kBuffers.value : kEnd.value - 8, i % 3 == 0 ? 8U : 4096U,
              static_cast<std::uint16_t>(i % 5 == 0 ? wire::kDescNext : 0),
              static_cast<std::uint16_t>(i % 7)});
      started.store(true, std::memory_order_relaxed);
    }
  });
  while (!started) std::this_thread::yield();
  unsigned returned = 0;
  for (int i = 0; i < 500'000 || returned == 0; ++i) {
    // On a busy machine the driver may not get a turn until this thread gives up its own.
    if (i % 100'000 == 0) std::this_thread::yield();
    ChainWalk walk(f.queue(), f.memory(), Head{0});
    for (Segment segment; walk.next(&segment); ++returned) {
      ASSERT_TRUE(f.memory().contains(segment.range));
    }
  }
  stop = true;
  driver.join();
}

}  // namespace
}  // namespace vballoon::virtq
