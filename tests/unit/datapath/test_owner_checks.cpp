// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_owner_checks.cpp - a data path, its queues and its gather end the
//                                             process when a thread that does not own them uses
//                                             them.
// Only where the checks are compiled in; base/test_owner.cpp has the rule itself, in any build.
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "reclaim/reclaimer.hpp"
#include "support/device_fixture.hpp"
#include "virtq/queue.hpp"

namespace vballoon::datapath {
namespace {

constexpr const char* kComplaint = "used by a thread that does not own it";

/// Calls action() on a thread of its own.
template <typename Action>
void elsewhere(Action action) {
  std::thread(action).join();
}

class OwnerChecks : public testing::Test {
 protected:
  void SetUp() override {
    if (!Owner::kChecked) GTEST_SKIP() << "built without them: meson option owner_checks";
    // In a process of its own: other threads do not survive a fork.
    testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
};

TEST_F(OwnerChecks, ADataPathIsPolledByItsOwnerOnly) {
  DeviceFixture f;
  f.start(Role::kInflate);
  f.path().owner().take();
  f.path().poll();
  EXPECT_DEATH(elsewhere([&f] { f.path().poll(); }), kComplaint);
  EXPECT_DEATH(elsewhere([&f] { f.path().quiesce(); }), kComplaint);
}

TEST_F(OwnerChecks, ADataPathThatIsServedIsNotChangedByOthers) {
  DeviceFixture f;
  f.start(Role::kInflate);
  elsewhere([&f] { f.path().owner().take(); });
  EXPECT_DEATH(f.path().stop(Role::kInflate), kComplaint);
  EXPECT_DEATH(f.start(Role::kDeflate), kComplaint);
  EXPECT_DEATH(f.path().set_features({}), kComplaint);
  EXPECT_DEATH(f.path().empty_balloon(), kComplaint);
  EXPECT_DEATH(f.path().release(), kComplaint);
}

TEST_F(OwnerChecks, WhatIsForAnyThreadStaysSo) {
  DeviceFixture f;
  elsewhere([&f] { f.path().owner().take(); });
  f.path().request_stats();
  f.path().inhibit(true);
  f.path().prefault(true);
  f.path().report(false);
  f.path().provide_tables();
  EXPECT_TRUE(f.path().inhibited());
}

TEST_F(OwnerChecks, AReleasedDataPathIsForWhoeverHoldsTheDevice) {
  DeviceFixture f;
  f.start(Role::kInflate);
  elsewhere([&f] {
    f.path().owner().take();
    f.path().poll();
    f.path().owner().release();
  });
  f.send_pfns(Role::kInflate, 0, pages_from(0, 4));
  EXPECT_TRUE(f.path().poll());
}

TEST_F(OwnerChecks, AQueueIsUsedByItsOwnerOnly) {
  DeviceFixture f;
  const QueueSetup setup = f.setup_of(Role::kInflate, 0, false);
  auto queue = virtq::Queue::open(setup.areas, 0, *f.ram().map());
  ASSERT_TRUE(queue.has_value());
  Owner owner;
  queue->belongs_to(owner);
  elsewhere([&owner] { owner.take(); });
  std::array<virtq::Head, 4> heads;
  EXPECT_DEATH(static_cast<void>(queue->pop(heads)), kComplaint);
  EXPECT_DEATH(queue->stage(virtq::Head{}, 0), kComplaint);
  EXPECT_DEATH(static_cast<void>(queue->publish()), kComplaint);
  owner.take();
  EXPECT_EQ(queue->pop(heads), 0U);
}

TEST_F(OwnerChecks, AGatherIsUsedByItsOwnerOnly) {
  const test::GuestRam ram({{Gpa{0}, kMiB, 0}});
  Owner owner;
  reclaim::Reclaimer reclaimer(reclaim::ReclaimLimits{}, owner);
  reclaimer.set_memory(ram.map());
  elsewhere([&owner] { owner.take(); });
  EXPECT_DEATH(reclaimer.inflate({0, 1}, 0), kComplaint);
  EXPECT_DEATH(reclaimer.deflate({0, 1}), kComplaint);
  EXPECT_DEATH(reclaimer.empty(), kComplaint);
  owner.take();
  EXPECT_EQ(reclaimer.inflate({0, 1}, 0).changed, 1U);
}

}  // namespace
}  // namespace vballoon::datapath
