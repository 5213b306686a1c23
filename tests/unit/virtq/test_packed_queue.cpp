// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_packed_queue.cpp - a packed ring: heads are popped, used buffers published.
// Source: VIRTIO 1.2, 2.8. Does not prove that the stores are ordered for a driver on another core:
//         UsedBuffersAreCompleteForAnotherThread makes that likely, here.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "packed_fixture.hpp"

namespace vballoon::virtq {
namespace {

std::string error_of(const PackedAreas& areas, std::uint16_t position,
                     const gmem::GuestMemory& memory) {
  const auto queue = PackedQueue::open(areas, position, memory);
  if (queue) return "";
  EXPECT_EQ(queue.error().code, Code::kInvalidArgument);
  return queue.error().message;
}

// 2.8.10.1: at most 2^15 descriptors, and no power of two is asked for.
TEST(PackedQueueOpen, TakesEverySizeUpToTheLargest) {
  PackedFixture f(32768);
  PackedAreas areas = f.ring().areas();
  for (unsigned size = 1; size <= 32768; size += size < 300 ? 1 : 997) {
    areas.size = size;
    ASSERT_EQ(error_of(areas, wire::kPackedBegin, f.memory()), "") << size;
  }
  for (const unsigned size : {0U, 32769U, 65536U, 0x8000'0000U}) {
    areas.size = size;
    EXPECT_NE(error_of(areas, wire::kPackedBegin, f.memory()), "") << size;
  }
}

TEST(PackedQueueOpen, RefusesAPositionBeyondTheRing) {
  PackedFixture f(5);
  for (const std::uint16_t wrap : {std::uint16_t{0}, wire::kPositionWrap}) {
    for (std::uint16_t index = 0; index < 5; ++index) {
      EXPECT_EQ(error_of(f.ring().areas(), index | wrap, f.memory()), "");
    }
    EXPECT_NE(error_of(f.ring().areas(), 5 | wrap, f.memory()), "");
    EXPECT_NE(error_of(f.ring().areas(), 0x7fff | wrap, f.memory()), "");
  }
}

// 2.8.10.1: the areas are aligned to 16, 4 and 4 bytes.
TEST(PackedQueueOpen, RefusesUnalignedAreas) {
  PackedFixture f(8);
  const PackedAreas good = f.ring().areas();
  for (const int off : {1, 2, 4, 8}) {
    PackedAreas areas = good;
    areas.descriptors += off;
    EXPECT_NE(error_of(areas, wire::kPackedBegin, f.memory()), "") << off;
    areas = good;
    areas.driver_event += off;
    EXPECT_EQ(error_of(areas, wire::kPackedBegin, f.memory()) == "", off % 4 == 0) << off;
    areas = good;
    areas.device_event += off;
    EXPECT_EQ(error_of(areas, wire::kPackedBegin, f.memory()) == "", off % 4 == 0) << off;
  }
}

TEST(PackedQueueOpen, RefusesAreasThatAreNotAllGuestMemory) {
  PackedFixture f(8);
  const PackedAreas good = f.ring().areas();
  std::byte* const end = f.ram().at(Gpa{kBorder.value - 1}) + 1;
  PackedAreas areas = good;
  areas.descriptors = end - 8 * sizeof(wire::PackedDescriptor);
  EXPECT_EQ(error_of(areas, wire::kPackedBegin, f.memory()), "") << "up to the last byte";
  areas.descriptors += 16;
  EXPECT_NE(error_of(areas, wire::kPackedBegin, f.memory()), "");
  for (std::byte* PackedAreas::*const area :
       {&PackedAreas::driver_event, &PackedAreas::device_event}) {
    areas = good;
    areas.*area = end - 4;
    EXPECT_EQ(error_of(areas, wire::kPackedBegin, f.memory()), "");
    areas.*area = end;
    EXPECT_NE(error_of(areas, wire::kPackedBegin, f.memory()), "");
  }
}

// 2.8.1, 2.8.17: available descriptors are taken in ring order, each once.
TEST(PackedQueuePop, GivesBuffersInTheOrderTheyWereOffered) {
  PackedFixture f(8);
  EXPECT_FALSE(f.queue().has_work());
  EXPECT_TRUE(f.pop(8).empty());
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{3, 7, 0, 5})
    f.ring().send(id, {kOne});
  EXPECT_TRUE(f.queue().has_work());
  EXPECT_EQ(f.pop_ids(3), (std::vector<unsigned>{3, 7, 0}));
  EXPECT_EQ(f.queue().outstanding(), 3U);
  EXPECT_TRUE(f.queue().has_work());
  EXPECT_EQ(f.pop_ids(3), (std::vector<unsigned>{5}));
  EXPECT_FALSE(f.queue().has_work());
  EXPECT_TRUE(f.pop(0).empty());
}

// 2.8.13: a descriptor is available when AVAIL is the wrap counter and USED is not.
TEST(PackedQueuePop, OnlyTheLapsOwnFlagsMakeADescriptorAvailable) {
  for (const bool wrap : {true, false}) {
    for (const unsigned bits : {0U, 1U, 2U, 3U}) {
      PackedFixture f(4, static_cast<std::uint16_t>(2 | (wrap ? wire::kPositionWrap : 0)));
      const auto flags = static_cast<std::uint16_t>(((bits & 1) != 0 ? wire::kPackedAvail : 0) |
                                                    ((bits & 2) != 0 ? wire::kPackedUsed : 0));
      f.ring().set(2, {kBuffers.value, 4, 9, flags});
      const bool legal = bits == (wrap ? 1U : 2U);
      EXPECT_EQ(f.queue().has_work(), legal) << wrap << bits;
      EXPECT_EQ(f.pop(1).size(), legal ? 1U : 0U) << wrap << bits;
    }
  }
}

// 2.8.6: the id is in the last descriptor of the chain; the whole chain is one buffer.
TEST(PackedQueuePop, AChainIsOneBufferWithTheIdOfItsLastDescriptor) {
  PackedFixture f(8);
  f.ring().send(4, {kOne, kOne, kOne});
  f.ring().send(2, {kOne});
  const auto heads = f.pop(8);
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_EQ(heads[0].id, 4U);
  EXPECT_EQ(heads[0].first, 0U);
  EXPECT_EQ(heads[0].count, 3U);
  EXPECT_EQ(heads[1].id, 2U);
  EXPECT_EQ(heads[1].first, 3U);
  EXPECT_EQ(f.queue().outstanding(), 4U);
}

// 2.8.13: any 16 bits are an id; the driver may use one twice, to its own confusion.
TEST(PackedQueuePop, AnyIdComesBackAsItWas) {
  PackedFixture f(8);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{8, 65535, 32768, 65535})
    f.ring().send(id, {kOne});
  const auto heads = f.pop(8);
  ASSERT_EQ(heads.size(), 4U);
  f.give_back(heads);
  EXPECT_TRUE(f.queue().publish());
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{8, 65535, 32768, 65535}));
}

TEST(PackedQueuePop, AFullRingComesAtOnce) {
  for (const unsigned size : {1U, 2U, 3U, 100U, 1000U}) {
    PackedFixture f(size);
    for (unsigned i = 0; i < size; ++i) f.ring().send(static_cast<std::uint16_t>(i), {kOne});
    EXPECT_EQ(f.pop(size + 1).size(), size);
    EXPECT_EQ(f.queue().fault(), QueueFault::kNone);
    EXPECT_FALSE(f.queue().has_work());
  }
}

// 2.8.6.1: a chain may be as long as the ring. One call looks at so many descriptors and no more.
TEST(PackedQueuePop, TheLongestChainTakesSeveralCallsAndIsFoundWhole) {
  for (const unsigned size : {1U, 2U, 7U, 1024U, 1025U, 32768U}) {
    PackedFixture f(size, static_cast<std::uint16_t>(size / 2 | wire::kPositionWrap));
    f.ring().send(5, std::vector<test::Piece>(size, kOne));
    std::vector<Head> heads;
    unsigned calls = 0;
    while (heads.empty() && calls < 100) {
      EXPECT_TRUE(f.queue().has_work());
      heads = f.pop(1);
      ++calls;
    }
    ASSERT_EQ(heads.size(), 1U) << size;
    EXPECT_EQ(heads[0].count, size);
    EXPECT_GE(calls, size / 1024) << "a call is bounded";
    EXPECT_FALSE(f.queue().has_work());
    const auto walked = f.walk(heads[0]);
    EXPECT_EQ(walked.fault, ChainFault::kNone);
    EXPECT_EQ(walked.segments.size(), size);
    f.give_back(heads);
    EXPECT_TRUE(f.queue().publish());
    EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{5}));
    EXPECT_EQ(f.queue().position(), f.ring().position());
  }
}

// 2.8.7.1: the used descriptor of a chain lies where the chain began; its others are skipped.
TEST(PackedQueueUsed, OneUsedDescriptorForAChain) {
  PackedFixture f(8);
  f.ring().send(4, {kOne, kOne, kOne});
  f.ring().send(2, {kOne});
  f.give_back(f.pop(8));
  EXPECT_TRUE(f.queue().publish());
  EXPECT_EQ(f.ring().get(0).id, 4U);
  EXPECT_EQ(f.ring().get(0).flags, wire::kPackedAvail | wire::kPackedUsed);
  EXPECT_EQ(f.ring().get(1).flags, wire::kPackedAvail | wire::kDescNext) << "not touched";
  EXPECT_EQ(f.ring().get(3).id, 2U);
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{4, 2}));
}

// 2.8.22: a driver looks at used descriptors one after the other: it sees all of a burst or none.
TEST(PackedQueueUsed, ABurstAppearsWithItsFirst) {
  PackedFixture f(8);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{4, 2, 6})
    f.ring().send(id, {kOne});
  const auto heads = f.pop(8);
  ASSERT_EQ(heads.size(), 3U);
  f.queue().stage(heads[0], 0);
  f.queue().stage(heads[1], 17);
  EXPECT_TRUE(f.ring().collect().empty()) << "staged, and unseen";
  EXPECT_EQ(f.queue().outstanding(), 3U);
  EXPECT_TRUE(f.queue().publish());
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{4, 2}));
  EXPECT_EQ(f.ring().get(0).flags & wire::kDescWrite, 0)
      << "nothing was written: len means nothing";
  EXPECT_EQ(f.ring().get(1).len, 17U);
  EXPECT_NE(f.ring().get(1).flags & wire::kDescWrite, 0);
  EXPECT_EQ(f.queue().outstanding(), 1U);
  EXPECT_EQ(f.queue().position(), wire::kPackedBegin + 2);
  EXPECT_FALSE(f.queue().publish()) << "nothing new: nobody to call";
}

/// Sends and returns chains of 1 to 3 descriptors for many laps.
void run_through(unsigned size, unsigned rounds) {
  PackedFixture f(size);
  std::uint16_t id = 0;
  unsigned laps = 0;
  std::uint16_t position = wire::kPackedBegin;
  for (unsigned round = 0; round < rounds; ++round) {
    std::vector<std::uint32_t> sent;
    for (unsigned room = size; room != 0;) {
      const unsigned length = std::min(room, 1 + (round + id) % 3);
      sent.push_back(id);
      f.ring().send(id++, std::vector<test::Piece>(length, kOne));
      room -= length;
      if (round % 4 == 0 && sent.size() == 2) break;
    }
    const auto heads = f.pop(size);
    ASSERT_EQ(heads.size(), sent.size()) << round;
    f.give_back(heads);
    ASSERT_TRUE(f.queue().publish());
    ASSERT_EQ(f.ring().collect(), sent) << round;
    ASSERT_EQ(f.queue().position(), f.ring().position());
    const std::uint16_t before = std::exchange(position, f.queue().position());
    laps += ((before ^ position) & wire::kPositionWrap) != 0 ? 1U : 0U;
  }
  EXPECT_EQ(f.queue().outstanding(), 0U);
  EXPECT_EQ(f.queue().fault(), QueueFault::kNone);
  EXPECT_GT(laps, 10U) << "the test is about the wrap";
}

// 2.8.1: both wrap counters flip at the ring's end, wherever that is in a chain.
TEST(PackedQueueWrap, CountersFlipAtTheEndOfTheRing) {
  for (const unsigned size : {1U, 2U, 3U, 5U, 8U, 100U}) run_through(size, 500);
}

// 2.8.14: no notification while the driver's events are disabled; DESC needs EVENT_IDX.
TEST(PackedQueueNotify, TheDriversEventFlagsAreRespected) {
  PackedFixture f(8);
  const auto use_one = [&f] {
    f.ring().send(0, {kOne});
    f.give_back(f.pop(1));
    const bool call = f.queue().publish();
    EXPECT_EQ(f.ring().collect().size(), 1U) << "called or not, it is used";
    return call;
  };
  EXPECT_TRUE(use_one());
  f.ring().set_driver_events(wire::kEventsDisable);
  EXPECT_FALSE(use_one());
  f.ring().set_driver_events(2);
  EXPECT_TRUE(use_one()) << "not negotiated: rather a call too many";
  f.ring().set_driver_events(0xfffd);
  EXPECT_FALSE(use_one()) << "only the lowest two bits mean anything";
  f.ring().set_driver_events(0xfffc);
  EXPECT_TRUE(use_one());
}

TEST(PackedQueueNotify, KicksAreTurnedOff) {
  PackedFixture f(8);
  EXPECT_EQ(f.ring().device_events(), wire::kEventsEnable) << "opening alone changes nothing";
  f.queue().disable_kicks();
  EXPECT_EQ(f.ring().device_events(), wire::kEventsDisable);
}

TEST(PackedQueueReopen, GoesOnWhereItWasStoppedAndLosesNothing) {
  PackedFixture f(8, 5);
  for (std::uint16_t id = 0; id < 3; ++id) f.ring().send(id, {kOne, kOne});
  f.ring().send(3, {kOne});
  const auto heads = f.pop(3);
  ASSERT_EQ(heads.size(), 3U);
  f.queue().stage(heads[0], 0);
  ASSERT_TRUE(f.queue().publish());
  // Two are popped and not returned, one of them across the end; one was not popped.
  EXPECT_EQ(f.queue().position(), 7U);
  f.queue() = PackedQueue::open(f.ring().areas(), f.queue().position(), f.memory()).value();
  const auto again = f.pop(8);
  ASSERT_EQ(again.size(), 3U);
  EXPECT_EQ(again[0].id, 1U);
  EXPECT_EQ(f.walk(again[0]).segments.size(), 2U);
  f.give_back(again);
  ASSERT_TRUE(f.queue().publish());
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(f.queue().position(), wire::kPackedBegin + 4);
}

// 2.8.22: a driver that sees the flags sees the descriptor. One thread is the driver.
TEST(PackedQueueUsed, UsedBuffersAreCompleteForAnotherThread) {
  constexpr std::uint32_t kCount = 100'000;
  constexpr unsigned kSize = 5;
  PackedFixture f(kSize);
  std::atomic<std::uint32_t> wrong{0};
  std::thread driver([&] {
    std::uint32_t sent = 0;
    for (std::uint32_t done = 0; done < kCount;) {
      while (sent < kCount && sent - done < kSize) {
        f.ring().send(static_cast<std::uint16_t>(sent++), {kOne});
      }
      const auto used = f.ring().collect();
      if (used.empty()) std::this_thread::yield();
      for (const std::uint32_t id : used) {
        if (id != (done++ & 0xffff)) ++wrong;
      }
    }
  });
  for (std::uint32_t returned = 0; returned < kCount;) {
    if (!f.queue().has_work()) std::this_thread::yield();
    const auto heads = f.pop(kSize);
    f.give_back(heads);
    returned += static_cast<std::uint32_t>(heads.size());
    static_cast<void>(f.queue().publish());
  }
  driver.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace vballoon::virtq
