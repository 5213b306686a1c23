// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_packed_rings.cpp - the device over packed rings: nothing of it knows.
// Source: VIRTIO 1.2, 2.8 and 2.8.8 (in-order use); sections 1 and 3 of the design. All else that
//         the device does has its tests over split rings, and tests/model has both.
#include <gtest/gtest.h>

#include <map>

#include "support/device_fixture.hpp"
#include "support/packed_ring.hpp"

namespace vballoon::datapath {
namespace {

using Ids = std::vector<std::uint32_t>;

/// A device some of whose rings are packed; they lie where its split ones would.
class PackedDevice {
 public:
  explicit PackedDevice(reclaim::ReclaimLimits limits = kAtOnce) : f(limits) {}

  test::PackedRing& start(Role role, unsigned size = 64) {
    const Gpa base{static_cast<std::uint64_t>(role) * 2 * kMiB};
    auto& ring = rings_.emplace(role, test::PackedRing(f.ram(), base, size)).first->second;
    go_on(role, ring, wire::kPackedBegin);
    return ring;
  }
  void go_on(Role role, test::PackedRing& ring, std::uint16_t position, bool resumed = false) {
    QueueSetup setup = f.setup_of(role, position, resumed);
    setup.areas = ring.areas();
    const auto started = f.path().start(role, setup);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    static_cast<void>(f.take_calls(role));
  }
  void send(Role role, std::uint16_t id, const std::vector<std::uint32_t>& pfns) {
    const Gpa at{DeviceFixture::buffers(role).value + id % 64 * 32 * kKiB};
    rings_.at(role).send(id, {f.put_pfns(at, pfns)});
  }

  DeviceFixture f;

 private:
  std::map<Role, test::PackedRing> rings_;
};

TEST(PackedRings, InflateAndDeflateAsOverSplitOnes) {
  PackedDevice d;
  auto& in = d.start(Role::kInflate);
  auto& out = d.start(Role::kDeflate);
  for (std::uint16_t round = 0; round < 200; ++round) {
    d.send(Role::kInflate, round, pages_from(round, 8));
    d.f.poll_until_idle();
    EXPECT_EQ(in.collect(), (Ids{round}));
    EXPECT_EQ(d.f.take_calls(Role::kInflate), 1U);
    d.send(Role::kDeflate, round, pages_from(round, 8));
    d.f.poll_until_idle();
    EXPECT_EQ(out.collect(), (Ids{round}));
  }
  EXPECT_EQ(d.f.counters().inflate_pages.get(), 1600U);
  EXPECT_EQ(d.f.counters().deflate_pages.get(), 1600U);
  EXPECT_EQ(d.f.path().status(Role::kInflate).buffers.get(), 200U);
}

TEST(PackedRings, TheWatchChangesWithEveryBuffer) {
  PackedDevice d;
  auto& ring = d.start(Role::kInflate, 3);
  for (std::uint16_t round = 0; round < 20; ++round) {
    std::array<Watch, DataPath::kWatches> watches;
    d.f.path().watch(watches);
    ASSERT_FALSE(d.f.path().restless());
    for (const Watch& watch : watches) EXPECT_FALSE(watch.changed());
    d.send(Role::kInflate, round, pages_from(round, 1));
    EXPECT_TRUE(watches[0].changed()) << round;
    d.f.poll_until_idle();
    EXPECT_EQ(ring.collect(), (Ids{round}));
  }
}

// 2.8.8: in the order in which they came, also where some could be returned before others.
TEST(PackedRings, EveryQueueUsesBuffersInOrder) {
  PackedDevice d(kNever);
  auto& in = d.start(Role::kInflate);
  auto& report = d.start(Role::kReport);
  auto& hint = d.start(Role::kHint);
  auto& stats = d.start(Role::kStats);
  const test::Piece page{Gpa{DeviceFixture::kHighFirst}, kPageSize, true};
  for (std::uint16_t id = 0; id < 40; ++id) {
    d.send(Role::kInflate, id, pages_from(id * 16U, id % 3 == 0 ? 0U : 1U + id % 16U));
    report.send(id, {id % 2 == 0 ? page : test::Piece{page.gpa, 0, true}});
    hint.send(id, {page, page});
    if (id % 2 == 0) d.f.poll_until_idle();
    hint.send(id, {page});
    if (id < 20) stats.send(id, {{DeviceFixture::buffers(Role::kStats), 10, false}});
    d.f.poll_until_idle();
    EXPECT_EQ(hint.collect(), (Ids{id, id}));
  }
  Ids all;
  for (std::uint32_t id = 0; id < 40; ++id) all.push_back(id);
  EXPECT_EQ(in.collect(), all);
  EXPECT_EQ(report.collect(), all);
  all.resize(19);
  EXPECT_EQ(stats.collect(), all) << "the newest is kept until somebody asks";
  d.f.path().request_stats();
  d.f.poll_until_idle();
  EXPECT_EQ(stats.collect(), (Ids{19}));
}

// Section 1: a pass looks at about 1024 descriptors. A chain whose end it has not come to is no
// rest.
TEST(PackedRings, AChainAsLongAsTheRingIsTakenPassByPass) {
  PackedDevice d;
  auto& ring = d.start(Role::kHint, 32768);
  ring.send(7, std::vector<test::Piece>(32768, {Gpa{DeviceFixture::kHighFirst}, 4, true}));
  unsigned passes = 0;
  while (ring.collect().empty() && passes < 1000) {
    EXPECT_TRUE(d.f.path().restless());
    EXPECT_TRUE(d.f.path().poll());
    ++passes;
  }
  EXPECT_GE(passes, 32U);
  EXPECT_LT(passes, 1000U);
  EXPECT_FALSE(d.f.path().restless());
}

TEST(PackedRings, ABrokenQueueIsShownAndRests) {
  PackedDevice d;
  auto& ring = d.start(Role::kInflate);
  ring.set(0, {0x1000, 4, 0, wire::kPackedAvail | wire::kDescNext});
  d.f.poll_until_idle();
  EXPECT_EQ(d.f.path().status(Role::kInflate).fault.get(),
            static_cast<std::uint64_t>(virtq::QueueFault::kChainNotAvailable));
  EXPECT_FALSE(d.f.path().restless());
}

TEST(PackedRings, StoppedAndStartedWithTheStatisticsBufferHeld) {
  PackedDevice d;
  auto& stats = d.start(Role::kStats, 5);
  const test::Piece one{DeviceFixture::buffers(Role::kStats), 10, false};
  stats.send(1, {one});
  stats.send(2, {one, one});
  d.f.poll_until_idle();
  EXPECT_EQ(stats.collect(), (Ids{1}));
  const std::uint16_t position = d.f.path().stop(Role::kStats);
  EXPECT_EQ(position, wire::kPackedBegin + 1);
  d.go_on(Role::kStats, stats, position, true);
  d.f.path().request_stats();
  d.f.poll_until_idle();
  EXPECT_EQ(stats.collect(), (Ids{2}));
  EXPECT_EQ(d.f.counters().stats_samples.get(), 2U);
}

}  // namespace
}  // namespace vballoon::datapath
