// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_large_requests.cpp - what device 13 asks of its driver, and what the
//                                               driver says of itself.
// Source: docs/device-13.md, 3, 4, 6, 7.3, 7.5, 7.6; DEV-2, DEV-4, DEV-5, DEV-20, DEV-23, DEV-24.
#include "large_fixture.hpp"

namespace vballoon::datapath {
namespace {

using wire::large::Effort;
using wire::large::Header;
using wire::large::Level;
using wire::large::MessageType;
using wire::large::Pressure;
using wire::large::Reason;
using wire::large::Request;
using wire::large::RequestType;
using wire::large::Stat;
using wire::large::State;

class LargeRequests : public LargeTest {
 protected:
  void want(std::uint64_t bytes) {
    f_.config().set_num_pages(static_cast<std::uint32_t>(bytes_to_pages(bytes)));
    f_.path().tell_target();
  }
  void expect(std::uint16_t head, RequestType type, std::uint32_t serial, std::uint64_t value) {
    const Request seen = request(head);
    EXPECT_EQ(seen.type, type);
    EXPECT_EQ(seen.serial, serial);
    EXPECT_EQ(seen.value, value);
  }
};

TEST_F(LargeRequests, ANewDriverIsToldTheTargetAsSoonAsItHasABuffer) {
  f_.config().set_num_pages(1024);
  pass();
  EXPECT_TRUE(collect(Role::kFromDevice).empty());
  offer_requests(0, 2);
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{0, 16}})) << "DEV-4: the other one stays";
  expect(0, RequestType::kResize, 1, 1024);
  EXPECT_EQ(request(0).effort, Effort::kReclaim);
}

TEST_F(LargeRequests, ATargetWithoutABufferIsReplacedByTheNewest) {
  for (const std::uint64_t bytes : {2 * kMiB, 8 * kMiB, 4 * kMiB}) want(bytes);
  settle();
  offer_requests(0, 4);
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{0, 16}}));
  expect(0, RequestType::kResize, 1, 1024);
  want(4 * kMiB);
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{1, 16}})) << "told again, though it is the same";
  expect(1, RequestType::kResize, 2, 1024);
}

/// A target has its serial from when a buffer takes it along.
TEST_F(LargeRequests, NoWordIsAboutTheNewestTargetWhileThatWaitsForABuffer) {
  const Requests& requests = f_.path().requests();
  const auto is_newest = [&requests] {
    return requests.is_newest(static_cast<std::uint32_t>(requests.serial.get()));
  };
  f_.path().tell_target();
  settle();
  EXPECT_FALSE(is_newest());
  offer_requests(0, 1);
  settle();
  EXPECT_TRUE(is_newest());
  f_.path().tell_target();
  settle();
  EXPECT_FALSE(is_newest());
}

TEST_F(LargeRequests, EffortGoesWithTheTarget) {
  f_.path().set_effort(Effort::kSweep);
  offer_requests(0, 1);
  settle();
  EXPECT_EQ(request(0).effort, Effort::kSweep);
}

TEST_F(LargeRequests, ThePlainFormHasNeitherEffortNorSerial) {
  negotiate(0);
  want(4 * kMiB);
  offer_requests(0, 2);
  f_.path().request_stats();
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{0, 16}, {1, 16}}));
  expect(0, RequestType::kResize, 0, 1024);
  EXPECT_EQ(request(0).effort, Effort::kFree);
  expect(1, RequestType::kStats, 0, 0);
}

TEST_F(LargeRequests, ABufferThatIsTooShortComesBackEmpty) {
  offer_requests(0, 3, 15);
  offer_requests(3, 1, 16);
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{0, 0}, {1, 0}, {2, 0}, {3, 16}}));
  EXPECT_EQ(counters().short_buffers.get(), 3U);
  expect(3, RequestType::kResize, 1, 0);
}

TEST_F(LargeRequests, ARestingDriverCostsNothing) {
  offer_requests(0, 8);
  settle();
  std::array<Watch, DataPath::kWatches> watches;
  f_.path().watch(watches);
  EXPECT_EQ(f_.path().look_again_us(), DataPath::kNever);
  for (const Watch& watch : watches) EXPECT_FALSE(watch.changed()) << "seven buffers wait";
  want(2 * kMiB);
  EXPECT_TRUE(watches.back().changed());
}

TEST_F(LargeRequests, AResumedDriverIsNotToldAgainAndAnotherOneIs) {
  offer_requests(0, 4);
  settle();
  static_cast<void>(f_.path().stop(Role::kFromDevice));
  f_.start(Role::kFromDevice, 1, true);
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{0, 16}}));
  static_cast<void>(f_.path().stop(Role::kFromDevice));
  f_.start(Role::kFromDevice, 1, false);
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{1, 16}})) << "DEV-24";
  expect(1, RequestType::kResize, 2, 0);
}

TEST_F(LargeRequests, StatisticsAreAskedForAndRecorded) {
  offer_requests(0, 3);
  settle();
  f_.path().request_stats();
  settle();
  EXPECT_EQ(collect(Role::kFromDevice), (Used{{0, 16}, {1, 16}}));
  expect(1, RequestType::kStats, 1, 0);
  add(0, kHuge, {page(0)});
  settle();
  Bytes bytes = message({.type = MessageType::kStats});
  append(&bytes, Stat{.tag = 4, .value = 100});
  append(&bytes, Stat{.tag = 4, .node = 2, .value = 7});
  append(&bytes, Stat{.tag = 5, .value = 200});
  append(&bytes, Stat{.tag = 999, .value = 1});
  append(&bytes, Stat{.tag = wire::large::kFreeLargeTag, .value = 50});
  append(&bytes, Stat{.tag = wire::large::kBalloonTag, .node = 1, .value = 60});
  append(&bytes, Stat{.tag = 4, .node = 2, .value = 8});
  bytes.resize(bytes.size() + 9);
  send(1, bytes);
  settle();
  const StatsRecord record = f_.path().stats().newest();
  const wire::NodeSample nodes = f_.path().stats().nodes();
  EXPECT_EQ(record.sequence, 1U);
  EXPECT_EQ(record.sample.get(wire::StatTag::kFree), 100U) << "the whole guest's";
  EXPECT_EQ(record.sample.get(wire::StatTag::kTotal), 200U);
  EXPECT_EQ(record.sample.unknown_tags, 1U) << "DEV-23";
  EXPECT_EQ(nodes.guest.get(wire::NodeStat::kFreeLarge), 50U);
  ASSERT_EQ(nodes.count, 2U);
  EXPECT_EQ(nodes.nodes[0].node, 1U);
  EXPECT_EQ(nodes.nodes[0].get(wire::NodeStat::kFree), 8U) << "the last one counts";
  EXPECT_EQ(nodes.nodes[1].node, 0U);
  EXPECT_EQ(nodes.nodes[1].get(wire::NodeStat::kBalloon), 60U);
  EXPECT_EQ(nodes.nodes[1].get(wire::NodeStat::kFree), std::nullopt);
  EXPECT_EQ(record.ballooned_pages, 512U);
  EXPECT_EQ(counters().stats_samples.get(), 1U);
}

TEST_F(LargeRequests, NodesAreHeardOfWhereTheDriverAcknowledgedThem) {
  negotiate(kAllFeatures & ~wire::large::bit(wire::large::Feature::kNodeStats));
  Bytes bytes = message({.type = MessageType::kStats});
  append(&bytes, Stat{.tag = 4, .node = 1, .value = 7});
  append(&bytes, Stat{.tag = wire::large::kBalloonTag, .value = 3});
  send(0, bytes);
  settle();
  EXPECT_EQ(f_.path().stats().nodes().count, 0U);
  EXPECT_EQ(f_.path().stats().nodes().guest.get(wire::NodeStat::kBalloon), 3U);
}

TEST_F(LargeRequests, AnAnswerWithoutAnEntryIsOne) {
  send(0, message({.type = MessageType::kStats}));
  settle();
  EXPECT_EQ(f_.path().stats().sequence(), 1U);
  EXPECT_EQ(f_.path().stats().newest().sample.present, 0U);
}

TEST_F(LargeRequests, TheDriverSaysHowItStandsAndIsNotBelieved) {
  Bytes bytes = message({.type = MessageType::kState, .detail = 2, .serial = 77});
  append(&bytes, State{.size = 1U << 30, .target = 3, .longest_us = 107});
  send(0, bytes);
  send(1, message({.type = MessageType::kState}, {1, 2}));
  settle();
  const StateRecord record = f_.path().requests().state.load();
  EXPECT_EQ(record.reason, Reason::kExhausted);
  EXPECT_EQ(record.serial, 77U);
  EXPECT_EQ(record.state.size, 1U << 30);
  EXPECT_EQ(record.state.longest_us, 107U);
  EXPECT_EQ(record.sequence, 1U) << "the other one was cut short";
  EXPECT_EQ(counters().short_messages.get(), 1U);
  EXPECT_EQ(ballooned(), 0U) << "DEV-20";
}

TEST_F(LargeRequests, OnlyWhatHoldsUpTheGuestIsPressure) {
  for (const Level level : {Level::kBackground, Level::kDirect, Level::kOom, Level{9}}) {
    Bytes bytes =
        message({.type = MessageType::kPressure, .detail = static_cast<std::uint16_t>(level)});
    append(&bytes, Pressure{.node = 0, .count = 5});
    send(static_cast<std::uint16_t>(level), bytes);
  }
  settle();
  EXPECT_EQ(collect().size(), 4U);
  EXPECT_EQ(counters().background_pressure.get(), 1U);
  EXPECT_EQ(counters().pressure_messages.get(), 2U);
  EXPECT_EQ(counters().unknown_messages.get(), 1U);
}

TEST_F(LargeRequests, TheConfigurationNeverChanges) {
  f_.config().set_num_pages(12345);
  std::array<std::byte, 16> before{};
  ASSERT_TRUE(f_.config().read(0, before));
  wire::large::Config shown;
  std::memcpy(&shown, before.data(), sizeof(shown));
  EXPECT_EQ(shown.page_shift, kConfig.page_shift);
  EXPECT_EQ(shown.node, kConfig.node);
  EXPECT_EQ(shown.max_pages, kConfig.max_pages);
  EXPECT_EQ(shown.size_mask, kConfig.size_mask);
  const std::array<std::byte, 16> other{};
  EXPECT_TRUE(f_.config().write(0, other)) << "DEV-2: ignored";
  std::array<std::byte, 16> after{};
  ASSERT_TRUE(f_.config().read(0, after));
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace vballoon::datapath
