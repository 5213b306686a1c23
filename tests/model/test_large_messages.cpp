// SPDX-License-Identifier: BSD-3-Clause
//
// Device 13 as an honest driver sees it: docs/device-13.md, sections 3 to 9.
#include "harness/large_fixture.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using wire::large::Feature;
using wire::large::Level;
using wire::large::MessageType;
using wire::large::Reason;
using wire::large::State;

class Large : public LargeTest {
 protected:
  void inhibit(bool on) { daemon_.call("device.inhibit", {{"name", device_}, {"on", on}}); }
};

/// DEV-1. A driver of the stock kind is at hand for it; its ring of deflate buffers is todevq.
TEST_F(Large, ADriverWithoutVersionOneIsNotServed) {
  DriverOptions legacy;
  legacy.features = all_but({wire::Feature::kVersion1});
  legacy.timeout = milliseconds(300);
  const auto driver = DaemonTest::connect(legacy);
  EXPECT_TRUE(driver->offered().has(wire::Feature::kVersion1));
  EXPECT_FALSE(driver->deflate(std::vector<Pfn>{Pfn{1024}})) << "no buffer comes back";
  EXPECT_NE(show().at("state"), "running");
}

/// DEV-2.
TEST_F(Large, TheConfigurationNeverChanges) {
  const auto driver = connect();
  auto& front_end = driver->front_end();
  const auto before = must(front_end.get_config(0, sizeof(wire::large::Config)));
  const std::vector<std::byte> zeroes(sizeof(wire::large::Config));
  static_cast<void>(front_end.set_config(0, zeroes));
  EXPECT_EQ(must(front_end.get_config(0, sizeof(wire::large::Config))), before);
  set_target(4 * kMiB);
  must(driver->add(large_pages(1, 2), kLargeShift));
  must(driver->reset());
  EXPECT_EQ(must(driver->front_end().get_config(0, sizeof(wire::large::Config))), before);
  EXPECT_EQ(driver->config_changes(), 0U) << "there are no configuration interrupts (section 4)";
}

/// DEV-3. The driver refuses a configuration that cannot be.
TEST_F(Large, EachChoiceOfSizesIsAConfigurationThatCanBe) {
  const std::vector<std::pair<const char*, std::vector<unsigned>>> choices{
      {"2M", {21}}, {"4K,2M", {21, 12}}, {"4K,2M,1G", {30, 21, 12}}, {"1G", {30}}, {"4K", {12}}};
  for (const auto& [text, shifts] : choices) {
    SCOPED_TRACE(text);
    offer(text);
    const auto driver = connect();
    EXPECT_EQ(driver->sizes(), shifts);
    EXPECT_EQ(driver->config().page_shift, shifts.back());
  }
}

/// DEV-4, and DEV-24 for the first one.
TEST_F(Large, ABufferComesBackForARequestAndForNothingElse) {
  const auto driver = connect();
  EXPECT_TRUE(hears(*driver, 0)) << "the target that it has";
  must(driver->add(large_pages(1, 1), kLargeShift));
  EXPECT_FALSE(must(driver->serve(driver::Deadline(milliseconds(100)))));
  EXPECT_EQ(driver->queue(Role::kFromDevice).outstanding(), 2U);
  const std::uint64_t before = driver->resizes();
  set_target(4 * kMiB);
  EXPECT_TRUE(hears(*driver, 4 * kMiB / kPageSize));
  EXPECT_FALSE(must(driver->serve(driver::Deadline(milliseconds(100)))));
  EXPECT_EQ(driver->resizes(), before + 1);
  expect_no_violations(driver->violations());
}

/// DEV-5.
TEST_F(Large, TheNewestTargetArrivesWhateverBecameOfThoseBefore) {
  LargeOptions options;
  options.requests.buffers = 1;
  const auto driver = connect(options);
  ASSERT_TRUE(eventually(
      [&] { return driver->queue(Role::kFromDevice).used_position() != 0 || packed_run(); }));
  std::this_thread::sleep_for(milliseconds(50));  // nobody gives a buffer meanwhile
  for (std::uint64_t target = 1; target <= 9; ++target) set_target(target * kMiB);
  EXPECT_TRUE(hears(*driver, 9 * kMiB / kPageSize));
  EXPECT_FALSE(must(driver->serve(driver::Deadline(milliseconds(100)))));
  EXPECT_EQ(driver->target()->units, 9 * kMiB / kPageSize) << "and none comes after it";
  EXPECT_LT(driver->resizes(), 9U) << "targets that were replaced are dropped";
}

TEST_F(Large, ATargetSaysItsEffortAndANewSerial) {
  offer("4K,2M", {{"effort", 2}});
  const auto driver = connect();
  ASSERT_TRUE(hears(*driver, 0));
  const std::uint32_t first = driver->target()->serial;
  set_target(4 * kMiB);
  ASSERT_TRUE(hears(*driver, 4 * kMiB / kPageSize));
  EXPECT_EQ(driver->target()->effort, wire::large::Effort::kSweep);
  EXPECT_EQ(driver->target()->serial, first + 1);
}

TEST_F(Large, APlainDriverHearsTheTargetAlone) {
  LargeOptions options;
  options.features = kPlainForm;
  const auto driver = connect(options);
  set_target(4 * kMiB);
  ASSERT_TRUE(hears(*driver, 4 * kMiB / kPageSize));
  EXPECT_EQ(driver->target()->effort, wire::large::Effort::kFree);
  EXPECT_EQ(driver->target()->serial, 0U);
  must(driver->add(small_pages_at(kFirstLarge, 100), kSmallShift));
  expect_ballooned_bytes(100 * kPageSize);
  EXPECT_EQ(must(driver->withdraw(200, kSmallShift)).size(), 100U);
  expect_ballooned_bytes(0);
  expect_no_violations(driver->violations());
}

/// DEV-6 and DEV-7: what is added goes, and nothing else.
TEST_F(Large, PagesThatAreAddedGoToTheHostAndNoOthers) {
  const auto driver = connect();
  fill_large(*driver);
  must(driver->add(large_pages(2, 4), kLargeShift));
  must(driver->add(small_pages_at(12 * kMiB, 300), kSmallShift));
  expect_ballooned_bytes(4 * kLargeBytes + 300 * kPageSize);
  const auto gone = driver::small_pages(driver->balloon().pages());
  expect_gone_soon(gone);
  std::vector<Pfn> others = ram_.pages();
  std::erase_if(others, [&](Pfn pfn) {
    return driver->arena().holds(pfn) || std::ranges::binary_search(gone, pfn);
  });
  expect_untouched(others);
  expect_no_violations(driver->violations());
}

/// DEV-8: a discard that is still to come would take the new contents along.
TEST_F(Large, APageThatCameBackIsNotDiscardedAnyMore) {
  const auto driver = connect();
  fill_large(*driver);
  for (int round = 0; round < 20; ++round) {
    must(driver->add(large_pages(1, 8), kLargeShift));
    const auto back = must(driver->withdraw(8, kLargeShift));
    ASSERT_EQ(back.size(), 8U);
    driver::fill_canaries(ram_, pfns_of(back, kLargeShift), 1);
    expect_untouched(pfns_of(back, kLargeShift));
  }
  std::this_thread::sleep_for(milliseconds(60));  // three times the longest wait
  expect_untouched(pfns_of(large_pages(1, 8), kLargeShift));
  expect_ballooned_bytes(0);
}

/// DEV-9, DEV-10.
TEST_F(Large, EachPageComesBackOnceAndAsItWasAdded) {
  const auto driver = connect();
  must(driver->add(large_pages(1, 3), kLargeShift));
  must(driver->add(small_pages_at(8 * kMiB, 1024), kSmallShift));  // two of 2 MiB, in pieces
  EXPECT_EQ(must(driver->withdraw(100, kLargeShift)).size(), 3U);
  EXPECT_EQ(must(driver->withdraw(100, kLargeShift)).size(), 0U);
  EXPECT_EQ(must(driver->withdraw(2000, kSmallShift)).size(), 1024U);
  EXPECT_EQ(must(driver->withdraw(1, kSmallShift)).size(), 0U);
  expect_ballooned_bytes(0);
  expect_no_violations(driver->violations());
}

/// DEV-13.
TEST_F(Large, WhatIsNotYetDiscardedComesBackFirst) {
  const auto driver = connect();
  must(driver->add(large_pages(1, 4), kLargeShift));
  expect_gone_soon(pfns_of(large_pages(1, 4), kLargeShift));
  const auto reclaimed = [this] { return show().at("reclaimed_bytes") == 4 * kLargeBytes; };
  ASSERT_TRUE(eventually(reclaimed));
  inhibit(true);
  must(driver->add(large_pages(6, 2), kLargeShift));
  auto back = must(driver->withdraw(2, kLargeShift));
  std::ranges::sort(back);
  EXPECT_EQ(back, large_pages(6, 2));
}

/// DEV-14.
TEST_F(Large, PagesComeBackWhateverTheTargetIs) {
  const auto driver = connect();
  set_target(16 * kMiB);
  ASSERT_TRUE(hears(*driver, 16 * kMiB / kPageSize));
  must(driver->add(large_pages(1, 4), kLargeShift));
  EXPECT_EQ(must(driver->withdraw(4, kLargeShift)).size(), 4U);
}

/// DEV-19.
TEST_F(Large, ReleaseCountsPagesThatAreNotInTheBalloon) {
  const auto driver = connect();
  must(driver->add(large_pages(1, 2), kLargeShift));
  // In the balloon, not in it, twice, in it.
  const std::vector<Gpa> list{Gpa{1 * kLargeBytes}, Gpa{5 * kLargeBytes}, Gpa{1 * kLargeBytes},
                              Gpa{2 * kLargeBytes}};
  EXPECT_EQ(must(driver->release(list, kLargeShift)), 4U);
  expect_ballooned_bytes(0);
  EXPECT_EQ(driver->balloon().size(), 0U);
  driver::fill_canaries(ram_, pfns_of(large_pages(1, 2), kLargeShift), 1);
  std::this_thread::sleep_for(milliseconds(60));
  expect_untouched(pfns_of(large_pages(1, 2), kLargeShift));
}

/// DEV-21, DEV-24.
TEST_F(Large, AResetEmptiesTheBalloonAndSendsTheTargetAgain) {
  const auto driver = connect();
  set_target(6 * kMiB);
  ASSERT_TRUE(hears(*driver, 6 * kMiB / kPageSize));
  must(driver->add(large_pages(1, 3), kLargeShift));
  must(driver->reset());
  driver::fill_canaries(ram_, pfns_of(large_pages(1, 3), kLargeShift), 1);
  expect_ballooned_bytes(0);
  EXPECT_TRUE(hears(*driver, 6 * kMiB / kPageSize));
  std::this_thread::sleep_for(milliseconds(60));
  expect_untouched(pfns_of(large_pages(1, 3), kLargeShift));
  EXPECT_EQ(must(driver->withdraw(3, kLargeShift)).size(), 0U);
  expect_no_violations(driver->violations());
}

/// A target that is set while nobody is there: the driver hears it once it comes.
TEST_F(Large, ATargetWhileTheDriverIsAwayReachesTheNext) {
  set_target(10 * kMiB);
  auto driver = connect();
  EXPECT_TRUE(hears(*driver, 10 * kMiB / kPageSize));
  driver.reset();
  set_target(12 * kMiB);
  driver = connect();
  EXPECT_TRUE(hears(*driver, 12 * kMiB / kPageSize));
  must(driver->pause());
  set_target(2 * kMiB);
  must(driver->resume());
  EXPECT_TRUE(hears(*driver, 2 * kMiB / kPageSize)) << "set during a suspend";
  expect_no_violations(driver->violations());
}

/// DEV-23.
TEST_F(Large, StatisticsAreReadAndUnknownTagsDoNoHarm) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  driver->set_stats({{.tag = 4, .value = 17},
                     {.tag = 999, .value = 1},
                     {.tag = 4, .node = 2, .value = 99},
                     {.tag = 0xFFFF, .node = 77, .value = 3},
                     {.tag = 5, .value = 18}});
  const Json stats = stats_while_serving(*driver);
  EXPECT_EQ(stats.at("free_bytes"), 17U) << "not that of a node";
  EXPECT_EQ(stats.at("total_bytes"), 18U);
  EXPECT_EQ(driver->stats_answered(), 1U);
  expect_no_violations(driver->violations());
}

TEST_F(Large, StateAndPressureAreHeard) {
  const auto driver = connect();
  must(driver->send_state(Reason::kExhausted, {.size = 3, .target = 7, .longest_us = 41}));
  must(driver->send_pressure(Level::kDirect, {.count = 2}));
  must(driver->send_pressure(Level::kOom, {.node = 1, .count = 1}));
  must(driver->send_pressure(Level::kBackground, {.count = 1}));
  EXPECT_EQ(counter("states"), 1U);
  EXPECT_EQ(counter("pressure_messages"), 2U);
  EXPECT_EQ(counter("unknown_messages"), 0U);
}

/// What the driver said of an earlier target says nothing of one that still waits for a buffer.
TEST_F(Large, AWordAboutATargetIsOldOnceThereIsAnotherOne) {
  LargeOptions options;
  options.requests.buffers = 1;
  const auto driver = connect(options);
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  const auto says = [&](std::uint32_t serial) {
    const State state{.target = 1024};
    must(driver->exchange(message({.type = MessageType::kState, .serial = serial},
                                  std::as_bytes(std::span(&state, 1))),
                          0));
    return show().at("driver").at("newest_target") == true;
  };
  set_target(4 * kMiB);
  ASSERT_TRUE(hears(*driver, 1024));
  const std::uint32_t first = driver->target()->serial;
  EXPECT_TRUE(says(first));
  set_target(8 * kMiB);  // takes the only buffer, which the driver leaves where it is
  EXPECT_FALSE(says(first));
  EXPECT_TRUE(says(first + 1));
  set_target(6 * kMiB);
  EXPECT_FALSE(says(first + 1)) << "the newest one waits for a buffer";
  ASSERT_TRUE(hears(*driver, 1536));
  EXPECT_TRUE(says(driver->target()->serial));
}

TEST_F(Large, ManyMessagesAtOnceAreAnsweredInTheirOrder) {
  LargeOptions options;
  options.depth = 40;
  options.max_pages = 3;
  const auto driver = connect(options);
  must(driver->add(small_pages_at(kFirstLarge, 2000), kSmallShift));
  expect_ballooned_bytes(2000 * kPageSize);
  EXPECT_EQ(must(driver->withdraw(2000, kSmallShift)).size(), 2000U);
  expect_no_violations(driver->violations());
}

TEST_F(Large, APauseLeavesTheBalloonAsItIs) {
  const auto driver = connect();
  fill_large(*driver);
  must(driver->add(large_pages(1, 4), kLargeShift));
  must(driver->pause());
  must(driver->resume());
  expect_ballooned_bytes(4 * kLargeBytes);
  EXPECT_EQ(must(driver->withdraw(4, kLargeShift)).size(), 4U);
  expect_no_violations(driver->violations());
}

}  // namespace
}  // namespace vballoon::model
