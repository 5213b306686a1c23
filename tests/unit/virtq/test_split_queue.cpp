// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_split_queue.cpp - heads are popped, used buffers are published.
// Source: VIRTIO 1.2, 2.7. Does not prove that the stores are ordered for a driver on another core:
//         PublishedElements below makes that likely, on this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "queue_fixture.hpp"

namespace vballoon::virtq {
namespace {

std::string error_of(const SplitAreas& areas, const gmem::GuestMemory& memory) {
  const auto queue = SplitQueue::open(areas, 0, memory);
  if (queue) return "";
  EXPECT_EQ(queue.error().code, Code::kInvalidArgument);
  return queue.error().message;
}

// 2.7: a queue size is a power of two, at most 32768.
TEST(SplitQueueOpen, TakesPowersOfTwoOnly) {
  QueueFixture f(32768);
  SplitAreas areas = f.ring().areas();
  for (unsigned size = 0; size <= 32768; ++size) {
    areas.size = size;
    const bool legal = size != 0 && (size & (size - 1)) == 0;
    ASSERT_EQ(SplitQueue::open(areas, 0, f.memory()).has_value(), legal) << size;
  }
  for (const unsigned size : {32769U, 65536U, 131072U, 0x8000'0000U}) {
    areas.size = size;
    EXPECT_NE(error_of(areas, f.memory()).find(std::to_string(size)), std::string::npos);
  }
}

// 2.7: the areas are aligned to 16, 2 and 4 bytes.
TEST(SplitQueueOpen, RefusesUnalignedAreas) {
  QueueFixture f(8);
  const SplitAreas good = f.ring().areas();
  ASSERT_EQ(error_of(good, f.memory()), "");
  for (const int off : {1, 2, 4, 8}) {
    SplitAreas areas = good;
    areas.descriptors += off;
    EXPECT_NE(error_of(areas, f.memory()), "") << off;
    areas = good;
    areas.avail += off;
    EXPECT_EQ(error_of(areas, f.memory()) == "", off % 2 == 0) << off;
    areas = good;
    areas.used += off;
    EXPECT_EQ(error_of(areas, f.memory()) == "", off % 4 == 0) << off;
  }
}

TEST(SplitQueueOpen, RefusesAreasThatAreNotAllGuestMemory) {
  QueueFixture f(8);
  const SplitAreas good = f.ring().areas();
  // The buffers' first region ends where the next one of the file is not.
  std::byte* end = f.ram().at(Gpa{kBorder.value - 1}) + 1;
  SplitAreas areas = good;
  areas.descriptors = end - wire::descriptor_table_bytes(8);
  EXPECT_EQ(error_of(areas, f.memory()), "") << "up to the last byte";
  areas.descriptors += 16;
  EXPECT_NE(error_of(areas, f.memory()), "");
  areas = good;
  areas.avail = end - wire::avail_ring_bytes(8);
  EXPECT_EQ(error_of(areas, f.memory()), "");
  areas.avail += 2;
  EXPECT_NE(error_of(areas, f.memory()), "");
  areas = good;
  areas.used = end - wire::used_ring_bytes(8);
  EXPECT_EQ(error_of(areas, f.memory()), "");
  areas.used += 4;
  EXPECT_NE(error_of(areas, f.memory()), "");
}

// 2.7.6: entries of the available ring are popped in their order, each once.
TEST(SplitQueuePop, GivesHeadsInTheOrderTheyWereOffered) {
  QueueFixture f(8);
  EXPECT_FALSE(f.queue().has_work());
  EXPECT_TRUE(f.pop(8).empty());
  for (const unsigned head : {3U, 7U, 0U, 5U}) f.ring().offer(static_cast<std::uint16_t>(head));
  EXPECT_TRUE(f.queue().has_work());
  EXPECT_EQ(f.pop(3), (std::vector<unsigned>{3, 7, 0}));
  EXPECT_EQ(f.queue().outstanding(), 3U);
  EXPECT_TRUE(f.queue().has_work());
  EXPECT_EQ(f.pop(3), (std::vector<unsigned>{5}));
  EXPECT_FALSE(f.queue().has_work());
  EXPECT_TRUE(f.pop(0).empty());
}

TEST(SplitQueuePop, AFullRingComesAtOnce) {
  for (const unsigned size : {1U, 2U, 128U, 32768U}) {
    QueueFixture f(size);
    for (unsigned i = 0; i < size; ++i) f.ring().offer(static_cast<std::uint16_t>(size - 1 - i));
    const auto heads = f.pop(size + 1);
    ASSERT_EQ(heads.size(), size);
    EXPECT_EQ(heads.front(), size - 1);
    EXPECT_EQ(heads.back(), 0U);
    EXPECT_EQ(f.queue().fault(), QueueFault::kNone);
  }
}

// 2.7.13.3.1: the index is never further ahead than the queue is long.
TEST(SplitQueuePop, AnIndexTooFarAheadBreaksTheQueue) {
  for (const unsigned size : {1U, 2U, 128U, 32768U}) {
    for (const unsigned ahead : {size + 1, size + 2, 65535U}) {
      QueueFixture f(size, 1000);
      f.ring().set_avail_idx(static_cast<std::uint16_t>(1000 + ahead));
      EXPECT_TRUE(f.pop(4).empty());
      EXPECT_EQ(f.queue().fault(), QueueFault::kAvailTooFar) << size << " " << ahead;
      f.ring().set_avail_idx(1001);
      EXPECT_TRUE(f.pop(4).empty()) << "broken until it is opened anew";
      EXPECT_EQ(f.queue().fault(), QueueFault::kAvailTooFar);
    }
  }
}

// What this side holds it has popped and not returned: the driver cannot have it offered again.
TEST(SplitQueuePop, OffersBeyondWhatIsHeldBreakTheQueue) {
  for (const unsigned size : {1U, 8U, 32768U}) {
    QueueFixture f(size);
    for (unsigned i = 0; i < size; ++i) f.ring().offer(0);
    ASSERT_EQ(f.pop(size).size(), size);
    EXPECT_EQ(f.queue().fault(), QueueFault::kNone);
    f.ring().offer(0);
    EXPECT_TRUE(f.pop(1).empty());
    EXPECT_EQ(f.queue().fault(), QueueFault::kAvailTooFar) << size;
    EXPECT_EQ(f.queue().outstanding(), size);
  }
}

// 2.7.6: an entry names a descriptor of the table. What came before it is still good.
TEST(SplitQueuePop, AHeadBeyondTheTableBreaksTheQueue) {
  QueueFixture f(8);
  f.ring().offer(1);
  f.ring().offer(2);
  f.ring().offer(8);
  f.ring().offer(3);
  EXPECT_EQ(f.pop(8), (std::vector<unsigned>{1, 2}));
  EXPECT_EQ(f.queue().fault(), QueueFault::kHeadTooBig);
  EXPECT_EQ(f.queue().outstanding(), 2U);
  EXPECT_TRUE(f.pop(8).empty());
  f.queue().stage(Head{1}, 0);
  f.queue().stage(Head{2}, 0);
  EXPECT_TRUE(f.queue().publish()) << "what was taken is still returned";
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{1, 2}));
}

// 2.7.8.2, 2.7.14: nothing is used before the index says so, and then all of it is.
TEST(SplitQueueUsed, ABurstAppearsWithItsIndex) {
  QueueFixture f(8);
  for (const unsigned head : {4U, 2U, 6U}) f.ring().offer(static_cast<std::uint16_t>(head));
  ASSERT_EQ(f.pop(8).size(), 3U);
  f.queue().stage(Head{4}, 0);
  f.queue().stage(Head{2}, 17);
  EXPECT_EQ(f.ring().used_idx(), 0U) << "staged, and unseen";
  EXPECT_EQ(f.queue().position(), 0U);
  EXPECT_TRUE(f.queue().publish());
  EXPECT_EQ(f.ring().used_idx(), 2U);
  EXPECT_EQ(f.ring().used_slot(0).id, 4U);
  EXPECT_EQ(f.ring().used_slot(0).len, 0U);
  EXPECT_EQ(f.ring().used_slot(1).id, 2U);
  EXPECT_EQ(f.ring().used_slot(1).len, 17U);
  EXPECT_EQ(f.queue().position(), 2U);
  EXPECT_EQ(f.queue().outstanding(), 1U);
  EXPECT_FALSE(f.queue().publish()) << "nothing new: nobody to call";
}

/// Sends and returns `rounds` buffers, `burst` at a time, from one index on.
void run_through(unsigned size, std::uint16_t begin_at, unsigned rounds) {
  QueueFixture f(size, begin_at);
  std::uint32_t sent = 0;
  std::uint32_t back = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const unsigned burst = 1 + round % std::min(size, 64U);
    for (unsigned i = 0; i < burst; ++i) {
      f.ring().offer(static_cast<std::uint16_t>((sent++ * 7) % size));
    }
    const auto heads = f.pop(size);
    ASSERT_EQ(heads.size(), burst);
    ASSERT_EQ(f.queue().outstanding(), burst);
    for (const unsigned head : heads) {
      ASSERT_EQ(head, (back++ * 7) % size);
      f.queue().stage(Head{static_cast<std::uint16_t>(head)}, 0);
    }
    ASSERT_TRUE(f.queue().publish());
    const auto used = f.ring().collect();
    ASSERT_TRUE(std::equal(used.begin(), used.end(), heads.begin(), heads.end()));
  }
  EXPECT_EQ(f.ring().used_idx(), static_cast<std::uint16_t>(begin_at + sent));
  EXPECT_EQ(f.queue().outstanding(), 0U);
  EXPECT_EQ(f.queue().fault(), QueueFault::kNone);
  EXPECT_GT(begin_at + sent, 65536U) << "the test is about the wrap";
}

// 2.7.6, 2.7.8: both indexes count modulo 2^16, whatever the queue size.
TEST(SplitQueueWrap, IndexesWrapAt65536) {
  run_through(1, 65000, 2000);
  run_through(2, 65000, 2000);
  run_through(128, 65000, 500);
  run_through(32768, 65000, 500);
}

TEST(SplitQueueWrap, AFullRingAcrossTheWrap) {
  for (const unsigned size : {1U, 2U, 128U, 32768U}) {
    const auto begin = static_cast<std::uint16_t>(65536 - (size + 1) / 2);
    QueueFixture f(size, begin);
    for (unsigned i = 0; i < size; ++i) f.ring().offer(static_cast<std::uint16_t>(i));
    const auto heads = f.pop(size);
    ASSERT_EQ(heads.size(), size) << size;
    for (const unsigned head : heads) f.queue().stage(Head{static_cast<std::uint16_t>(head)}, 0);
    EXPECT_TRUE(f.queue().publish());
    EXPECT_EQ(f.ring().used_idx(), static_cast<std::uint16_t>(begin + size));
    EXPECT_EQ(f.ring().collect().size(), size);
  }
}

// 2.7.7.2: no notification while the driver sets NO_INTERRUPT.
TEST(SplitQueueNotify, NoInterruptIsRespected) {
  QueueFixture f(8);
  const auto use_one = [&f] {
    f.ring().offer(0);
    EXPECT_EQ(f.pop(1).size(), 1U);
    f.queue().stage(Head{0}, 0);
    return f.queue().publish();
  };
  EXPECT_TRUE(use_one());
  f.ring().set_avail_flags(wire::kAvailNoInterrupt);
  EXPECT_FALSE(use_one());
  EXPECT_EQ(f.ring().used_idx(), 2U) << "not called, and used all the same";
  f.ring().set_avail_flags(0xfffe);
  EXPECT_TRUE(use_one()) << "only the lowest bit means anything";
}

// 2.7.10: NO_NOTIFY tells the driver that this side polls.
TEST(SplitQueueNotify, KicksAreTurnedOff) {
  QueueFixture f(8);
  EXPECT_EQ(f.ring().used_flags(), 0U) << "opening alone changes nothing in the ring";
  f.queue().disable_kicks();
  EXPECT_EQ(f.ring().used_flags(), wire::kUsedNoNotify);
  EXPECT_EQ(f.ring().used_idx(), 0U);
}

TEST(SplitQueueReopen, GoesOnWhereItWasStoppedAndLosesNothing) {
  QueueFixture f(8, 65533);
  for (std::uint16_t head = 0; head < 6; ++head) f.ring().offer(head);
  ASSERT_EQ(f.pop(5).size(), 5U);
  f.queue().stage(Head{0}, 0);
  f.queue().stage(Head{1}, 0);
  ASSERT_TRUE(f.queue().publish());
  // Three are popped and not returned, one was not popped.
  const std::uint16_t position = f.queue().position();
  EXPECT_EQ(position, 65535U);
  f.queue() = SplitQueue::open(f.ring().areas(), position, f.memory()).value();
  const auto heads = f.pop(8);
  EXPECT_EQ(heads, (std::vector<unsigned>{2, 3, 4, 5}));
  for (const unsigned head : heads) f.queue().stage(Head{static_cast<std::uint16_t>(head)}, 0);
  ASSERT_TRUE(f.queue().publish());
  EXPECT_EQ(f.ring().collect(), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5}));
}

// 2.7.14: a driver that sees the index sees the elements below it. One thread is the driver.
TEST(SplitQueueUsed, PublishedElementsAreCompleteForAnotherThread) {
  constexpr std::uint32_t kOffered = 100'000;
  constexpr unsigned kSize = 4;
  QueueFixture f(kSize);
  std::atomic<std::uint32_t> wrong{0};
  std::thread driver([&] {
    std::uint32_t sent = 0;
    for (std::uint32_t done = 0; done < kOffered;) {
      while (sent < kOffered && sent - done < kSize) {
        f.ring().offer(static_cast<std::uint16_t>(sent++ % kSize));
      }
      const auto used = static_cast<std::uint16_t>(f.ring().used_idx() - done);
      if (used == 0) std::this_thread::yield();
      for (unsigned i = 0; i < used; ++i, ++done) {
        const wire::UsedElement element = f.ring().used_slot(done);
        if (element.id != done % kSize || element.len != done) ++wrong;
      }
    }
  });
  std::uint32_t returned = 0;
  while (returned < kOffered) {
    if (!f.queue().has_work()) std::this_thread::yield();
    for (const unsigned head : f.pop(kSize)) {
      f.queue().stage(Head{static_cast<std::uint16_t>(head)}, returned++);
    }
    static_cast<void>(f.queue().publish());
  }
  driver.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(QueueFaults, EachHasWordsOfItsOwn) {
  EXPECT_EQ(describe(QueueFault::kNone), "");
  EXPECT_EQ(describe(ChainFault::kNone), "");
  std::set<std::string_view> words;
  for (const auto fault : {QueueFault::kAvailTooFar, QueueFault::kHeadTooBig,
                           QueueFault::kAvailNotUsed, QueueFault::kChainNotAvailable}) {
    words.insert(describe(fault));
  }
  for (const auto fault :
       {ChainFault::kNextTooBig, ChainFault::kTooLong, ChainFault::kNestedIndirect,
        ChainFault::kIndirectAndNext, ChainFault::kBadIndirectTable, ChainFault::kOutsideMemory}) {
    words.insert(describe(fault));
  }
  EXPECT_EQ(words.size(), 10U);
  EXPECT_FALSE(words.contains(""));
  EXPECT_FALSE(words.contains("unknown"));
}

}  // namespace
}  // namespace vballoon::virtq
