// SPDX-License-Identifier: BSD-3-Clause
//
// The driver's side of a virtqueue against a device that is under the test's control.
#include "driver/driver_queue.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>
#include <cstring>
#include <thread>

#include "fake_device.hpp"

namespace vballoon::driver {
namespace {

using std::chrono::milliseconds;

class DriverQueueTest : public ::testing::Test {
 protected:
  DriverQueue make(const QueueShape& shape) {
    return DriverQueue::create(ram_, arena_, shape).value();
  }
  static Segment readable(std::uint64_t gpa) { return {Gpa{gpa}, 64, false}; }
  static Segment writable(std::uint64_t gpa) { return {Gpa{gpa}, 4096, true}; }
  static bool kicked(const DriverQueue& queue) {
    eventfd_t count = 0;
    return ::eventfd_read(queue.kick_fd(), &count) == 0;
  }

  /// A buffer goes there, and comes back while the queue waits, which nobody is told.
  static void use_without_a_call(DriverQueue* queue, FakeDevice* device) {
    const std::array<Segment, 1> buffer{readable(0x300000)};
    ASSERT_TRUE(queue->add(buffer));
    queue->publish();
    const std::jthread silent([device] {
      std::this_thread::sleep_for(milliseconds(10));
      device->use(device->take().value());
      device->give();
    });
    EXPECT_TRUE(queue->wait(Deadline(milliseconds(50))));
  }

  GuestRam ram_ = GuestRam::create(flat_ram(4 * kMiB)).value();
  Arena arena_{GpaRange{Gpa{0}, 2 * kMiB}};
};

TEST_F(DriverQueueTest, RefusesSizesThatCannotBe) {
  for (const unsigned size : {0U, 1U, 3U, 100U, 65536U}) {
    EXPECT_FALSE(DriverQueue::create(ram_, arena_, {.size = size})) << size;
  }
}

TEST_F(DriverQueueTest, SaysWhenTheArenaIsTooSmall) {
  Arena small(GpaRange{Gpa{0}, kPageSize});
  EXPECT_EQ(DriverQueue::create(ram_, small, {.size = 1024}).error().code, Code::kInvalidArgument);
}

TEST_F(DriverQueueTest, ABufferIsInvisibleUntilPublished) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  const std::array<Segment, 1> buffer{readable(0x300000)};
  ASSERT_TRUE(queue.add(buffer));
  EXPECT_FALSE(device.take());
  queue.publish();
  EXPECT_TRUE(device.take());
  EXPECT_TRUE(kicked(queue));
}

TEST_F(DriverQueueTest, DoesNotKickADeviceThatAskedNotToBe) {
  DriverQueue queue = make({.size = 8});
  FakeDevice(queue.areas()).suppress_kicks();
  const std::array<Segment, 1> buffer{readable(0x300000)};
  ASSERT_TRUE(queue.add(buffer));
  queue.publish();
  EXPECT_FALSE(kicked(queue));
}

TEST_F(DriverQueueTest, DirectChainIsLinkedInOrder) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  const std::array<Segment, 3> chain{readable(0x300000), writable(0x301000), writable(0x302000)};
  const auto head = queue.add(chain);
  queue.publish();
  ASSERT_EQ(device.take(), head);
  wire::Descriptor d = device.descriptor(*head);
  EXPECT_EQ(d.flags, wire::kDescNext);
  EXPECT_EQ(d.addr, 0x300000U);
  d = device.descriptor(d.next);
  EXPECT_EQ(d.flags, wire::kDescNext | wire::kDescWrite);
  d = device.descriptor(d.next);
  EXPECT_EQ(d.flags, wire::kDescWrite);
  EXPECT_EQ(d.addr, 0x302000U);
  EXPECT_EQ(queue.free_descriptors(), 5U);
}

TEST_F(DriverQueueTest, IndirectChainTakesOneDescriptor) {
  DriverQueue queue = make({.size = 8, .indirect_entries = 4});
  FakeDevice device(queue.areas());
  const std::array<Segment, 3> chain{readable(0x300000), writable(0x301000), writable(0x302000)};
  const auto head = queue.add(chain);
  EXPECT_EQ(queue.free_descriptors(), 7U);
  const wire::Descriptor d = device.descriptor(head.value());
  EXPECT_EQ(d.flags, wire::kDescIndirect);
  ASSERT_EQ(d.len, 3 * sizeof(wire::Descriptor));
  std::array<wire::Descriptor, 3> table;
  std::memcpy(table.data(), ram_.at(Gpa{d.addr}, d.len).data(), d.len);
  EXPECT_EQ(table[0].next, 1U);
  EXPECT_EQ(table[1].flags, wire::kDescNext | wire::kDescWrite);
  EXPECT_EQ(table[2].flags, wire::kDescWrite);
  EXPECT_EQ(table[2].addr, 0x302000U);
}

TEST_F(DriverQueueTest, ChainsLongerThanTheTableGoDirect) {
  DriverQueue queue = make({.size = 8, .indirect_entries = 2});
  const std::array<Segment, 3> chain{readable(0x300000), writable(0x301000), writable(0x302000)};
  ASSERT_TRUE(queue.add(chain));
  EXPECT_EQ(queue.free_descriptors(), 5U);
}

TEST_F(DriverQueueTest, UsedBuffersComeBackWithTheirCookieInAnyOrder) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  const std::array<Segment, 2> chain{readable(0x300000), writable(0x301000)};
  for (std::uint64_t cookie = 0; cookie < 4; ++cookie) ASSERT_TRUE(queue.add(chain, cookie));
  EXPECT_FALSE(queue.add(chain)) << "all descriptors are out";
  queue.publish();
  std::array<std::uint16_t, 4> heads{};
  for (auto& head : heads) head = device.take().value();
  for (const std::size_t i : {2U, 0U, 3U, 1U}) device.use(heads[i], 17);
  EXPECT_FALSE(queue.poll()) << "not shown yet";
  device.give();
  for (const std::uint64_t cookie : {2U, 0U, 3U, 1U}) {
    const auto used = queue.poll();
    ASSERT_TRUE(used);
    EXPECT_EQ(used->cookie, cookie);
    EXPECT_EQ(used->written, 17U);
  }
  EXPECT_EQ(queue.free_descriptors(), 8U);
  EXPECT_EQ(queue.outstanding(), 0U);
  EXPECT_EQ(queue.violations().total(), 0U);
}

TEST_F(DriverQueueTest, CountsAnUnknownId) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  const std::array<Segment, 1> buffer{readable(0x300000)};
  ASSERT_TRUE(queue.add(buffer));
  queue.publish();
  device.use(8);
  device.give();
  EXPECT_FALSE(queue.poll());
  EXPECT_EQ(queue.violations().unknown_id, 1U);
  EXPECT_EQ(queue.outstanding(), 1U);
}

TEST_F(DriverQueueTest, CountsABufferThatComesBackTwice) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  const std::array<Segment, 1> buffer{readable(0x300000)};
  ASSERT_TRUE(queue.add(buffer));
  ASSERT_TRUE(queue.add(buffer));
  queue.publish();
  const auto head = device.take();
  device.use(head.value());
  device.use(head.value());
  device.give();
  EXPECT_TRUE(queue.poll());
  EXPECT_FALSE(queue.poll());
  EXPECT_EQ(queue.violations().not_outstanding, 1U);
}

TEST_F(DriverQueueTest, CountsAUsedIndexThatJumps) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  device.jump(3);
  EXPECT_FALSE(queue.poll());
  EXPECT_EQ(queue.violations().index_jump, 1U);
  EXPECT_FALSE(queue.poll()) << "back in step";
  EXPECT_EQ(queue.violations().index_jump, 1U);
}

TEST_F(DriverQueueTest, CountsAUsedBufferWithoutACall) {
  DriverQueue queue = make({.size = 8, .wait = WaitMode::kInterrupt});
  FakeDevice device(queue.areas());
  use_without_a_call(&queue, &device);
  EXPECT_EQ(queue.violations().missing_call, 1U);
}

/// A backend that was killed between the used index and the call; the next one calls, or does not.
TEST_F(DriverQueueTest, ACallThatABackendDidNotLiveToMakeIsItsSuccessors) {
  for (const bool calls : {true, false}) {
    DriverQueue queue = make({.size = 8, .wait = WaitMode::kInterrupt});
    FakeDevice device(queue.areas());
    use_without_a_call(&queue, &device);
    queue.excuse_missing_call();
    EXPECT_EQ(queue.violations().missing_call, 0U);
    if (calls) ::eventfd_write(queue.call_fd(), 1);
    queue.expect_owed_call(Deadline(milliseconds(10)));
    queue.expect_owed_call(Deadline(milliseconds(10)));
    EXPECT_EQ(queue.violations().missing_call, calls ? 0U : 1U);
  }
}

TEST_F(DriverQueueTest, WaitEndsAtTheDeadline) {
  for (const WaitMode mode : {WaitMode::kInterrupt, WaitMode::kSpin}) {
    DriverQueue queue = make({.size = 8, .wait = mode});
    EXPECT_FALSE(queue.wait(Deadline(milliseconds(20))));
  }
}

TEST_F(DriverQueueTest, RawHeadsAreTrackedToo) {
  DriverQueue queue = make({.size = 8});
  FakeDevice device(queue.areas());
  const auto head = queue.reserve();
  ASSERT_TRUE(head);
  queue.add_raw(*head);
  queue.add_raw(1000);
  queue.publish();
  EXPECT_EQ(device.take(), *head);
  EXPECT_EQ(device.take(), 1000);
  EXPECT_EQ(queue.outstanding(), 1U);
  device.use(*head);
  device.give();
  EXPECT_TRUE(queue.poll());
  EXPECT_EQ(queue.free_descriptors(), 7U) << "a reserved descriptor stays reserved";
}

/// 2.7.9: in ring order, from descriptor 0 on; and back in that order.
TEST_F(DriverQueueTest, InOrderDescriptorsAreGivenInRingOrder) {
  DriverQueue queue = make({.size = 4, .in_order = true});
  FakeDevice device(queue.areas());
  const std::array<Segment, 1> buffer{readable(0x300000)};
  for (std::uint16_t i = 0; i < 12; ++i) {
    EXPECT_EQ(queue.add(buffer), i % 4);
    queue.publish();
    device.use(device.take().value());
    device.give();
    EXPECT_TRUE(queue.poll());
  }
  EXPECT_EQ(queue.violations().total(), 0U);
}

TEST_F(DriverQueueTest, CountsABufferThatComesBackOutOfOrder) {
  for (const bool in_order : {true, false}) {
    DriverQueue queue = make({.size = 4, .in_order = in_order});
    FakeDevice device(queue.areas());
    const std::array<Segment, 1> buffer{readable(0x300000)};
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.add(buffer));
    queue.publish();
    const std::array<std::uint16_t, 3> heads{*device.take(), *device.take(), *device.take()};
    for (const std::size_t i : {1U, 0U, 2U}) device.use(heads[i]);
    device.give();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.poll());
    EXPECT_EQ(queue.violations().out_of_order, in_order ? 1U : 0U);
  }
}

/// Many buffers, another thread as the device, index wrap at 2^16 several times.
void ping_pong(DriverQueue& queue, unsigned buffers) {
  std::jthread thread([&queue, buffers] {
    FakeDevice device(queue.areas());
    for (unsigned done = 0; done < buffers;) {
      unsigned burst = 0;
      while (const auto head = device.take()) {
        device.use(*head);
        ++burst;
      }
      if (burst == 0) {
        std::this_thread::yield();
        continue;
      }
      done += burst;
      device.give();
      ::eventfd_write(queue.call_fd(), 1);
    }
  });
  const std::array<Segment, 1> buffer{{{Gpa{0x300000}, 64, false}}};
  unsigned sent = 0;
  unsigned back = 0;
  while (back < buffers) {
    bool added = false;
    while (sent < buffers && queue.add(buffer, sent)) {
      ++sent;
      added = true;
    }
    if (added) queue.publish();
    const auto used = queue.wait(Deadline(milliseconds(5000)));
    ASSERT_TRUE(used) << "buffer " << back;
    ASSERT_EQ(used->cookie, back);
    ++back;
  }
}

TEST_F(DriverQueueTest, PassesTheIndexWrapWithInterrupts) {
  DriverQueue queue = make({.size = 64, .wait = WaitMode::kInterrupt});
  ping_pong(queue, 140'000);
  EXPECT_EQ(queue.violations().total(), 0U);
}

TEST_F(DriverQueueTest, PassesTheIndexWrapSpinning) {
  DriverQueue queue = make({.size = 64, .wait = WaitMode::kSpin});
  ping_pong(queue, 140'000);
  EXPECT_EQ(queue.violations().total(), 0U);
}

}  // namespace
}  // namespace vballoon::driver
