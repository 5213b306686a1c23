// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_lifecycle.cpp - rings start, stop, break and idle, one by one.
// Source: VIRTIO 1.2, 2.7; vhost-user, "Ring states".
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "support/device_fixture.hpp"
#include "virtq/fault.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;
using virtq::QueueFault;

TEST(Idle, APassOverIdleRingsCallsNobody) {
  DeviceFixture f;
  EXPECT_FALSE(f.path().poll()) << "no ring runs at all";
  f.start_all();
  f.send_pfns(Role::kInflate, 0, pages_from(0, 8));
  f.poll_until_idle();
  for (const Role role : kAllRoles) static_cast<void>(f.take_calls(role));
  f.discarder().calls.clear();
  const std::uint64_t calls = f.counters().calls.get();
  for (int i = 0; i < 10'000; ++i) ASSERT_FALSE(f.path().poll());
  for (const Role role : kAllRoles) EXPECT_EQ(f.take_calls(role), 0U);
  EXPECT_TRUE(f.discarder().calls.empty());
  EXPECT_EQ(f.counters().calls.get(), calls);
}

TEST(Pass, AllQueuesAreServedInOne) {
  DeviceFixture f;
  f.start_all();
  f.send_pfns(Role::kInflate, 1, pages_from(0, 8));
  f.send_pfns(Role::kDeflate, 2, pages_from(4, 2));
  f.ring(Role::kStats).send(3, {{DeviceFixture::buffers(Role::kStats), 10}});
  f.ring(Role::kHint).send(4, {{DeviceFixture::buffers(Role::kHint), 4}});
  f.ring(Role::kReport).send(5, {{to_gpa(Pfn{DeviceFixture::page(100)}), 4096, true}});
  f.path().poll();
  f.path().poll();  // ends of buffers may be seen in a pass of their own
  EXPECT_FALSE(f.path().poll());
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{1}));
  EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{2}));
  EXPECT_TRUE(f.ring(Role::kStats).collect().empty()) << "held";
  EXPECT_EQ(f.ring(Role::kHint).collect(), (Heads{4}));
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{5}));
  EXPECT_EQ(f.counters().ballooned_pages.get(), 6U);
}

// 2.7.10, 2.7.7.2: this side polls; and whoever waits on an older call file is woken once.
TEST(Start, TurnsKicksOffAndCallsOnce) {
  DeviceFixture f;
  ASSERT_TRUE(f.path().start(Role::kInflate, f.setup_of(Role::kInflate, 0, false)).has_value());
  EXPECT_EQ(f.ring(Role::kInflate).used_flags(), wire::kUsedNoNotify);
  EXPECT_EQ(f.take_calls(Role::kInflate), 1U);
  EXPECT_TRUE(f.path().running(Role::kInflate));
  EXPECT_FALSE(f.path().running(Role::kDeflate));
  EXPECT_TRUE(f.path().any_running());
  EXPECT_EQ(f.path().status(Role::kInflate).size.get(), 64U);
}

TEST(Start, ARingThatCannotBeIsRefused) {
  DeviceFixture f;
  for (int fault = 0; fault < 3; ++fault) {
    QueueSetup setup = f.setup_of(Role::kInflate, 0, false);
    auto& areas = std::get<virtq::SplitAreas>(setup.areas);
    if (fault == 0) areas.size = 63;
    if (fault == 1) areas.descriptors += 8;
    if (fault == 2) areas.used = reinterpret_cast<std::byte*>(&f);
    const auto started = f.path().start(Role::kInflate, setup);
    ASSERT_FALSE(started.has_value()) << fault;
    EXPECT_EQ(started.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(f.path().running(Role::kInflate));
  }
  f.start(Role::kInflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 1));
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0})) << "a good one still starts afterwards";
}

TEST(Start, ADriverThatPollsNeedsNoCallFile) {
  DeviceFixture f;
  QueueSetup setup = f.setup_of(Role::kInflate, 0, false);
  setup.call_fd = -1;
  ASSERT_TRUE(f.path().start(Role::kInflate, setup).has_value());
  f.send_pfns(Role::kInflate, 0, pages_from(0, 1));
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
  EXPECT_EQ(f.counters().calls.get(), 0U);
}

TEST(Pass, ADriverThatWantsNoInterruptGetsNone) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.ring(Role::kInflate).set_avail_flags(wire::kAvailNoInterrupt);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 1));
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0}));
  EXPECT_EQ(f.take_calls(Role::kInflate), 0U);
  EXPECT_EQ(f.counters().calls.get(), 0U);
}

// Section 5 of the design, 2: none lost, none twice, also across a stop in the middle of a buffer.
TEST(Stop, InTheMiddleLosesNoBufferAndReturnsNoneTwice) {
  constexpr std::uint16_t kBegin = 65530;  // and across the wrap of the indexes
  for (int passes_before = 0; passes_before < 12; ++passes_before) {
    DeviceFixture f;
    f.ring(Role::kInflate).begin_at(kBegin);
    f.start(Role::kInflate, kBegin);
    std::vector<std::uint32_t> all;
    for (std::uint16_t head = 0; head < 8; ++head) {
      const auto pages = pages_from(head * 2000U, 1900);
      all.insert(all.end(), pages.begin(), pages.end());
      f.send_pfns(Role::kInflate, head, pages);
    }
    for (int i = 0; i < passes_before; ++i) f.path().poll();
    const auto before = static_cast<std::uint16_t>(f.ring(Role::kInflate).used_idx() - kBegin);
    const std::uint16_t position = f.path().stop(Role::kInflate);
    EXPECT_EQ(position, static_cast<std::uint16_t>(kBegin + before));
    EXPECT_FALSE(f.path().running(Role::kInflate));
    EXPECT_FALSE(f.path().poll()) << "a stopped ring is not served";
    EXPECT_EQ(f.ring(Role::kInflate).used_idx(), position);
    f.start(Role::kInflate, position, true);
    f.poll_until_idle();
    EXPECT_EQ(f.ring(Role::kInflate).collect(), (Heads{0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(f.counters().ballooned_pages.get(), all.size());
    EXPECT_EQ(f.discarder().file_pages(), DeviceFixture::file_pages(all));
  }
}

TEST(Stop, InTheMiddleOfAReportReportsItAgain) {
  DeviceFixture f;
  f.start(Role::kReport);
  f.ring(Role::kReport).send(0, {{Gpa{DeviceFixture::kHighFirst}, 64 * kMiB, true}});
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.path().stop(Role::kReport), 0U);
  f.start(Role::kReport, 0, true);
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{0}));
  EXPECT_EQ(f.discarder().file_pages().size(), bytes_to_pages(64 * kMiB));
}

TEST(Stop, OneRingLeavesTheOthersRunning) {
  DeviceFixture f;
  f.start_all();
  EXPECT_EQ(f.path().stop(Role::kInflate), 0U);
  EXPECT_TRUE(f.path().running(Role::kDeflate));
  f.send_pfns(Role::kInflate, 0, pages_from(0, 1));
  f.send_pfns(Role::kDeflate, 0, pages_from(0, 1));
  f.poll_until_idle();
  EXPECT_TRUE(f.ring(Role::kInflate).collect().empty());
  EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{0}));
  for (const Role role : {Role::kDeflate, Role::kStats, Role::kHint, Role::kReport}) {
    EXPECT_TRUE(f.path().any_running());
    static_cast<void>(f.path().stop(role));
  }
  EXPECT_FALSE(f.path().any_running());
}

void expect_broken(DeviceFixture& f, Role role, QueueFault fault) {
  EXPECT_EQ(f.path().status(role).fault.get(), static_cast<std::uint64_t>(fault));
  EXPECT_FALSE(f.path().poll()) << "a broken queue is no work";
}

// Section 5 of the design, 5: one broken ring costs nobody else.
TEST(Broken, AQueueStaysBrokenUntilItIsStartedAnew) {
  DeviceFixture f;
  f.start_all();
  auto& ring = f.ring(Role::kInflate);
  ring.set_avail_idx(100);
  f.poll_until_idle();
  expect_broken(f, Role::kInflate, QueueFault::kAvailTooFar);
  ring.set_avail_idx(0);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 4));
  expect_broken(f, Role::kInflate, QueueFault::kAvailTooFar);
  EXPECT_TRUE(ring.collect().empty());
  f.send_pfns(Role::kDeflate, 3, pages_from(0, 1));
  f.ring(Role::kReport).send(5, {{to_gpa(Pfn{DeviceFixture::page(9)}), 4096, true}});
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kDeflate).collect(), (Heads{3})) << "the other queues go on";
  EXPECT_EQ(f.ring(Role::kReport).collect(), (Heads{5}));
  f.start(Role::kInflate, f.path().stop(Role::kInflate));
  EXPECT_EQ(f.path().status(Role::kInflate).fault.get(), 0U);
  f.poll_until_idle();
  EXPECT_EQ(ring.collect(), (Heads{0}));
}

TEST(Broken, WhatCameBeforeABadHeadIsStillReturned) {
  DeviceFixture f;
  f.start_all();
  auto& ring = f.ring(Role::kInflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 4));
  f.send_pfns(Role::kInflate, 1, pages_from(4, 4));
  ring.offer(64);  // the table ends at 63
  ring.offer(2);
  f.poll_until_idle();
  EXPECT_EQ(ring.collect(), (Heads{0, 1}));
  expect_broken(f, Role::kInflate, QueueFault::kHeadTooBig);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 8U);
}

TEST(Broken, EveryKindOfQueueBreaksAlike) {
  for (const Role role : kAllRoles) {
    DeviceFixture f;
    f.start_all();
    f.ring(role).set_avail_idx(65);
    f.poll_until_idle();
    expect_broken(f, role, QueueFault::kAvailTooFar);
    for (const Role other : kAllRoles) {
      if (other == role) continue;
      EXPECT_EQ(f.path().status(other).fault.get(), 0U);
    }
  }
}

TEST(Memory, AnotherMapKeepsTheBalloon) {
  DeviceFixture f;
  f.start(Role::kInflate);
  EXPECT_EQ(f.counters().guest_bytes.get(), DeviceFixture::kLowBytes + DeviceFixture::kHighBytes);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 8));
  f.poll_until_idle();
  const std::uint16_t position = f.path().stop(Role::kInflate);
  auto specs = f.ram().specs();
  specs[1].bytes = 4 * kPageSize;
  f.path().set_memory(gmem::GuestMemory::create(specs).value());
  EXPECT_EQ(f.counters().guest_bytes.get(), DeviceFixture::kLowBytes + 4 * kPageSize);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 4U);
  f.start(Role::kInflate, position, true);
  f.send_pfns(Role::kInflate, 1, pages_from(3, 2));
  f.poll_until_idle();
  EXPECT_EQ(f.counters().already_ballooned.get(), 1U);
  EXPECT_EQ(f.counters().outside_memory.get(), 1U);
}

TEST(Memory, AResetEmptiesTheBalloonAndDiscardsNothing) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 8));
  f.poll_until_idle();
  f.discarder().calls.clear();
  static_cast<void>(f.path().stop(Role::kInflate));
  f.path().empty_balloon();
  EXPECT_EQ(f.counters().ballooned_pages.get(), 0U);
  EXPECT_TRUE(f.discarder().calls.empty());
}

TEST(Memory, ReleaseForgetsAllOfTheGuest) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 8));
  f.poll_until_idle();
  static_cast<void>(f.path().stop(Role::kInflate));
  f.path().release();
  EXPECT_EQ(f.counters().guest_bytes.get(), 0U);
  EXPECT_EQ(f.counters().ballooned_pages.get(), 0U);
  EXPECT_EQ(f.path().stats().sequence(), 0U);
  EXPECT_EQ(f.path().status(Role::kInflate).buffers.get(), 1U) << "history stays";
  f.path().set_memory(f.ram().map());
  f.ring(Role::kInflate).begin_at(0);
  f.start(Role::kInflate);
  f.send_pfns(Role::kInflate, 0, pages_from(0, 8));
  f.poll_until_idle();
  EXPECT_EQ(f.counters().ballooned_pages.get(), 8U);
}

TEST(Counters, AllHaveNamesOfTheirOwn) {
  DeviceFixture f;
  std::set<std::string> names;
  for (const NamedCount& count : named_counts(f.counters())) names.emplace(count.name);
  EXPECT_EQ(names.size(), named_counts(f.counters()).size());
  EXPECT_TRUE(names.contains("inflate_pages"));
}

}  // namespace
}  // namespace vballoon::datapath
