// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_queue.cpp - either layout behind one face, and where a ring stands.
// Source: VIRTIO 1.2, 2.7, 2.8; vhost-user, VHOST_USER_SET_VRING_BASE.
#include "virtq/queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "packed_fixture.hpp"

namespace vballoon::virtq {
namespace {

Standing stands(PackedFixture& f, std::uint16_t position) {
  return look_at(f.ring().areas(), position, f.memory());
}

/// Uses so many single descriptors.
void use(PackedFixture& f, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    f.ring().send(0, {kOne});
    f.give_back(f.pop(1));
    static_cast<void>(f.queue().publish());
    ASSERT_EQ(f.ring().collect().size(), 1U);
  }
}

TEST(Standing, ASplitRingAtZeroMayBeANewDrivers) {
  QueueFixture f(8);
  for (const std::uint16_t position : std::initializer_list<std::uint16_t>{0, 1, 8, 65535}) {
    const Standing now = look_at(f.ring().areas(), position, f.memory());
    EXPECT_EQ(now.position, position);
    EXPECT_EQ(now.unused, position == 0);
  }
}

// 2.8.1, 2.8.13: a driver begins at index 0 with wrap counter 1, in a ring of zeroes.
TEST(Standing, AZeroedPackedRingAtItsBeginningIsUnused) {
  PackedFixture f(8);
  EXPECT_TRUE(stands(f, wire::kPackedBegin).unused);
  EXPECT_FALSE(stands(f, 1 | wire::kPositionWrap).unused);
  f.ring().send(0, {kOne});
  EXPECT_TRUE(stands(f, wire::kPackedBegin).unused) << "a first buffer changes nothing";
  for (unsigned i = 0; i < 7; ++i) f.ring().send(0, {kOne});
  EXPECT_TRUE(stands(f, wire::kPackedBegin).unused) << "nor does a ring that was filled at once";
}

TEST(Standing, APackedRingAfterTwoLapsWasUsed) {
  for (const unsigned size : {1U, 2U, 7U}) {
    PackedFixture f(size);
    use(f, 2 * size);
    ASSERT_EQ(f.queue().position(), wire::kPackedBegin);
    const Standing now = stands(f, wire::kPackedBegin);
    EXPECT_EQ(now.position, wire::kPackedBegin);
    EXPECT_FALSE(now.unused) << size;
  }
}

// The rest of a chain keeps what the driver wrote: only its first descriptor is written as used.
TEST(Standing, ChainsThatEndALapTellTheSame) {
  for (const unsigned laps : {1U, 2U, 3U, 4U}) {
    PackedFixture f(6);
    for (unsigned chain = 0; chain < 2 * laps; ++chain) {
      f.ring().send(0, {kOne, kOne, kOne});
      f.give_back(f.pop(1));
      static_cast<void>(f.queue().publish());
      ASSERT_EQ(f.ring().collect().size(), 1U);
    }
    const std::uint16_t position = f.queue().position();
    EXPECT_EQ(position, laps % 2 == 0 ? wire::kPackedBegin : 0);
    EXPECT_EQ(stands(f, position).position, position) << laps;
    EXPECT_FALSE(stands(f, position).unused) << laps;
  }
}

// A front end that knows split rings alone begins at 0: without the wrap counter that 2.8.1 sets.
TEST(Standing, ABaseOfZeroIsPutRightForARingThatWasNeverUsed) {
  PackedFixture f(8);
  EXPECT_EQ(stands(f, 0).position, wire::kPackedBegin);
  EXPECT_TRUE(stands(f, 0).unused);
  f.ring().send(0, {kOne});
  EXPECT_EQ(stands(f, 0).position, wire::kPackedBegin) << "its driver was quicker";
}

TEST(Standing, ABaseOfZeroAfterOneLapIsRight) {
  for (const unsigned size : {1U, 2U, 7U}) {
    PackedFixture f(size);
    use(f, size);
    ASSERT_EQ(f.queue().position(), 0U);
    EXPECT_EQ(stands(f, 0).position, 0U) << size;
    EXPECT_FALSE(stands(f, 0).unused);
    for (unsigned i = 0; i < size; ++i) {
      f.ring().send(0, {kOne});
      EXPECT_EQ(stands(f, 0).position, 0U) << "with the second lap available, too";
    }
  }
}

// A chain across the end leaves an old descriptor at index 0, with the flags of a first lap.
TEST(Standing, ABaseOfZeroWithTheRestOfAChainThereIsRight) {
  PackedFixture f(4);
  use(f, 4 + 3);
  f.ring().send(0, {kOne, kOne});  // descriptors 3 and 0
  f.give_back(f.pop(1));
  static_cast<void>(f.queue().publish());
  ASSERT_EQ(f.ring().collect().size(), 1U);
  use(f, 3);
  ASSERT_EQ(f.queue().position(), 0U);
  EXPECT_EQ(f.ring().get(0).flags & (wire::kPackedAvail | wire::kPackedUsed), wire::kPackedAvail);
  EXPECT_EQ(stands(f, 0).position, 0U);
  EXPECT_FALSE(f.queue().has_work());
}

TEST(Standing, ARingOutsideMemoryIsNotLookedAt) {
  PackedFixture f(8);
  PackedAreas areas = f.ring().areas();
  areas.descriptors = reinterpret_cast<std::byte*>(0x1000);
  EXPECT_EQ(look_at(areas, 0, f.memory()).position, 0U);
  areas = f.ring().areas();
  areas.size = 0;
  EXPECT_EQ(look_at(areas, wire::kPackedBegin, f.memory()).position, wire::kPackedBegin);
}

TEST(Queue, OpensWhatItIsGivenAndSaysWhyNot) {
  PackedFixture packed(6);
  QueueFixture split(8);
  EXPECT_EQ(Queue::open(packed.ring().areas(), wire::kPackedBegin, packed.memory())->size(), 6U);
  EXPECT_EQ(Queue::open(split.ring().areas(), 5, split.memory())->position(), 5U);
  SplitAreas bad = split.ring().areas();
  bad.size = 6;
  EXPECT_FALSE(Queue::open(bad, 0, split.memory()));
  EXPECT_FALSE(Queue::open(packed.ring().areas(), 6, packed.memory()));
}

/// Where a poll lcore looks: it must change whenever something comes that was not there.
template <typename Fixture, typename Send>
void watch_it(Fixture& f, std::uint16_t begin, Send send) {
  Queue queue = Queue::open(f.ring().areas(), begin, f.memory()).value();
  for (unsigned round = 0; round < 50; ++round) {
    const std::uint16_t* const word = queue.watched();
    const std::uint16_t seen = queue.at_rest();
    ASSERT_FALSE(queue.has_work());
    ASSERT_EQ(*word, seen) << "at rest, round " << round;
    send();
    ASSERT_NE(*word, seen) << "round " << round;
    Head head;
    ASSERT_EQ(queue.pop({&head, 1}), 1U);
    queue.stage(head, 0);
    ASSERT_TRUE(queue.publish());
    ASSERT_EQ(f.ring().collect().size(), 1U);
  }
}

TEST(Queue, TheWatchedWordChangesWithEveryBuffer) {
  for (const unsigned size : {1U, 2U, 8U}) {
    QueueFixture split(size);
    watch_it(split, 0, [&split] { split.ring().offer(0); });
    PackedFixture packed(size);
    watch_it(packed, wire::kPackedBegin, [&packed] { packed.ring().send(0, {kOne}); });
  }
}

// The whole against a plain queue: nothing lost, nothing twice, in order, whatever the bursts.
TEST(Queue, APackedRingAgreesWithAPlainQueue) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 generator(seed);
    const auto random = [&generator] { return static_cast<unsigned>(generator()); };
    const unsigned size = 1 + random() % 40;
    PackedFixture f(size);
    Queue queue = Queue::open(f.ring().areas(), wire::kPackedBegin, f.memory()).value();
    struct Buffer {
      std::uint16_t id;
      unsigned length;
    };
    std::deque<Buffer> sent;
    std::deque<Buffer> held;
    std::deque<Head> heads;
    std::deque<std::uint32_t> returned;
    unsigned room = size;
    for (unsigned step = 0; step < 2000; ++step) {
      const unsigned length = 1 + random() % 4;
      if (random() % 2 == 0 && length <= room) {
        const auto id = static_cast<std::uint16_t>(random());
        f.ring().send(id, std::vector<test::Piece>(length, kOne));
        sent.push_back({id, length});
        room -= length;
      }
      Head head;
      if (random() % 2 == 0) {
        ASSERT_EQ(queue.pop({&head, 1}), sent.empty() ? 0U : 1U);
        if (!sent.empty()) {
          ASSERT_EQ(head.id, sent.front().id);
          unsigned segments = 0;
          ChainWalk walk = queue.walk(head, f.memory());
          for (Segment segment; walk.next(&segment);) ++segments;
          ASSERT_EQ(segments, sent.front().length);
          held.push_back(sent.front());
          heads.push_back(head);
          sent.pop_front();
        }
      }
      if (random() % 3 == 0 && !heads.empty()) {
        queue.stage(heads.front(), 0);
        returned.push_back(held.front().id);
        room += held.front().length;
        heads.pop_front();
        held.pop_front();
        ASSERT_TRUE(queue.publish());
      }
      if (random() % 10 == 0) {
        // Another owner goes on: what is held comes again, first.
        queue = Queue::open(f.ring().areas(), queue.position(), f.memory()).value();
        sent.insert(sent.begin(), held.begin(), held.end());
        held.clear();
        heads.clear();
      }
      for (const std::uint32_t id : f.ring().collect()) {
        ASSERT_FALSE(returned.empty());
        ASSERT_EQ(id, returned.front());
        returned.pop_front();
      }
    }
    EXPECT_TRUE(returned.empty());
    EXPECT_EQ(queue.fault(), QueueFault::kNone);
  }
}

}  // namespace
}  // namespace vballoon::virtq
