// SPDX-License-Identifier: BSD-3-Clause
//
// The driver's side of a packed virtqueue against a device that is under the test's control.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <random>

#include "fake_packed_device.hpp"

namespace vballoon::driver {
namespace {

class PackedRingTest : public ::testing::Test {
 protected:
  DriverQueue make(QueueShape shape) {
    shape.packed = true;
    return DriverQueue::create(ram_, arena_, shape).value();
  }
  static bool kicked(const DriverQueue& queue) {
    eventfd_t count = 0;
    return ::eventfd_read(queue.kick_fd(), &count) == 0;
  }

  static constexpr Segment kReadable{Gpa{0x300000}, 64, false};
  static constexpr Segment kWritable{Gpa{0x301000}, 4096, true};
  const std::array<Segment, 1> one_{kReadable};
  const std::array<Segment, 3> three_{kReadable, kWritable, kWritable};
  GuestRam ram_ = GuestRam::create(flat_ram(4 * kMiB)).value();
  Arena arena_{GpaRange{Gpa{0}, 2 * kMiB}};
};

TEST_F(PackedRingTest, RefusesSizesThatCannotBe) {
  for (const unsigned size : {0U, 32769U, 65536U}) {
    EXPECT_FALSE(DriverQueue::create(ram_, arena_, {.size = size, .packed = true})) << size;
  }
  for (const unsigned size : {1U, 3U, 1000U}) {
    EXPECT_TRUE(DriverQueue::create(ram_, arena_, {.size = size, .packed = true})) << size;
  }
}

TEST_F(PackedRingTest, BuffersAreInvisibleUntilPublished) {
  DriverQueue queue = make({.size = 8});
  FakePackedDevice device(queue);
  ASSERT_TRUE(queue.add(one_));
  ASSERT_TRUE(queue.add(three_));
  EXPECT_FALSE(device.take());
  queue.publish();
  EXPECT_EQ(device.take()->chain.size(), 1U);
  EXPECT_EQ(device.take()->chain.size(), 3U);
  EXPECT_FALSE(device.take());
  EXPECT_TRUE(kicked(queue));
}

TEST_F(PackedRingTest, EventFlagsOfBothSides) {
  DriverQueue queue = make({.size = 8, .wait = WaitMode::kSpin});
  FakePackedDevice device(queue);
  EXPECT_TRUE(device.calls_suppressed());
  EXPECT_FALSE(FakePackedDevice(make({.size = 8})).calls_suppressed());
  device.suppress_kicks();
  ASSERT_TRUE(queue.add(one_));
  queue.publish();
  EXPECT_FALSE(kicked(queue));
}

TEST_F(PackedRingTest, AChainIsWrittenAsTheSpecHasIt) {
  DriverQueue queue = make({.size = 8});
  FakePackedDevice device(queue);
  const auto id = queue.add(three_);
  queue.publish();
  const auto taken = device.take().value();
  EXPECT_EQ(taken.id, id);
  ASSERT_EQ(taken.chain.size(), 3U);
  EXPECT_EQ(taken.chain[0].addr, 0x300000U);
  EXPECT_EQ(taken.chain[0].flags, wire::kPackedAvail | wire::kDescNext);
  EXPECT_EQ(taken.chain[1].flags, wire::kPackedAvail | wire::kDescNext | wire::kDescWrite);
  EXPECT_EQ(taken.chain[2].flags, wire::kPackedAvail | wire::kDescWrite);
  EXPECT_EQ(queue.free_descriptors(), 5U);
}

TEST_F(PackedRingTest, ATableHasNoFlagsButWrite) {
  DriverQueue queue = make({.size = 8, .indirect_entries = 4});
  FakePackedDevice device(queue);
  ASSERT_TRUE(queue.add(three_));
  queue.publish();
  const auto taken = device.take().value();
  ASSERT_EQ(taken.chain.size(), 1U);
  EXPECT_EQ(taken.chain[0].flags, wire::kPackedAvail | wire::kDescIndirect);
  ASSERT_EQ(taken.chain[0].len, 3 * sizeof(wire::PackedDescriptor));
  std::array<wire::PackedDescriptor, 3> table;
  std::memcpy(table.data(), ram_.at(Gpa{taken.chain[0].addr}, 48).data(), 48);
  EXPECT_EQ(table[0].flags, 0U);
  EXPECT_EQ(table[1].flags, wire::kDescWrite);
  EXPECT_EQ(table[2].addr, 0x301000U);
}

/// Chains of random length, many laps; the device returns them in any order.
TEST_F(PackedRingTest, BuffersComeBackInAnyOrderOverManyLaps) {
  for (const unsigned size : {1U, 3U, 8U, 13U}) {
    DriverQueue queue = make({.size = size});
    FakePackedDevice device(queue);
    std::mt19937 generator(size);
    const auto random = [&generator] { return static_cast<unsigned>(generator()); };
    std::vector<FakePackedDevice::Taken> held;
    std::uint64_t cookie = 0;
    std::uint64_t back = 0;
    for (unsigned step = 0; step < 3000; ++step) {
      const std::vector<Segment> segments(1 + random() % std::min(size, 4U), kReadable);
      if (queue.add(segments, cookie)) ++cookie;
      queue.publish();
      while (auto taken = device.take()) held.push_back(*std::move(taken));
      std::shuffle(held.begin(), held.end(), generator);
      for (unsigned n = random() % 3; n != 0 && !held.empty(); --n) {
        device.use(held.back().id, held.back().chain.size(), 5);
        held.pop_back();
        const auto used = queue.poll();
        ASSERT_TRUE(used);
        EXPECT_EQ(used->written, 5U);
        ++back;
      }
      ASSERT_FALSE(queue.poll());
    }
    EXPECT_EQ(back + queue.outstanding(), cookie);
    EXPECT_GT(back, 1000U);
    EXPECT_EQ(queue.violations().total(), 0U);
  }
}

TEST_F(PackedRingTest, CountsWhatTheDeviceDoesWrong) {
  DriverQueue queue = make({.size = 8, .in_order = true});
  FakePackedDevice device(queue);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(queue.add(one_));
  queue.publish();
  std::vector<std::uint16_t> ids;
  while (const auto taken = device.take()) ids.push_back(taken->id);
  device.use(8, 1);
  device.use(ids[1], 1);
  device.use(ids[1], 1);
  EXPECT_TRUE(queue.poll());
  EXPECT_FALSE(queue.poll());
  EXPECT_EQ(queue.violations().unknown_id, 1U);
  EXPECT_EQ(queue.violations().not_outstanding, 1U);
  EXPECT_EQ(queue.violations().out_of_order, 1U);
  EXPECT_EQ(queue.outstanding(), 3U);
}

TEST_F(PackedRingTest, KnowsWhereADeviceMayStand) {
  DriverQueue queue = make({.size = 8});
  const auto stands = [&queue](unsigned index, bool wrap) {
    return queue.may_stand_at(static_cast<std::uint16_t>(index | (wrap ? 0x8000 : 0)));
  };
  EXPECT_EQ(queue.place().begin, 0x8000U);
  EXPECT_TRUE(stands(0, true));
  EXPECT_FALSE(stands(1, true));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.add(one_));
  for (unsigned i = 0; i < 10; ++i) EXPECT_EQ(stands(i, true), i <= 3) << i;
  EXPECT_FALSE(stands(2, false)) << "more than a lap behind";
  EXPECT_TRUE(stands(3, false));
}

}  // namespace
}  // namespace vballoon::driver
