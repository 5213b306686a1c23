// SPDX-License-Identifier: BSD-3-Clause
//
// Statistics: VIRTIO 1.2, 5.5.6.3. The device keeps the driver's buffer and returns it to ask.
#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

class Stats : public DaemonTest {};

TEST_F(Stats, EveryRequestGetsTheNumbersOfItsTime) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  for (std::uint64_t round = 1; round <= 20; ++round) {
    driver->set_stats({{4, round * kMiB}, {5, 32 * kMiB}, {6, round}, {3, 7 * round}});
    const Json stats = stats_while_serving(*driver);
    EXPECT_EQ(stats.at("free_bytes"), round * kMiB);
    EXPECT_EQ(stats.at("total_bytes"), 32 * kMiB);
    EXPECT_EQ(stats.at("available_bytes"), round);
    EXPECT_EQ(stats.at("minor_faults"), 7 * round);
  }
  EXPECT_EQ(driver->stats_answered(), 20U);
  expect_no_violations(*driver);
}

TEST_F(Stats, UnknownTagsDoNoHarm) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  driver->set_stats({{4, 17}, {999, 1}, {0xFFFF, 2}, {5, 18}});
  const Json stats = stats_while_serving(*driver);
  EXPECT_EQ(stats.at("free_bytes"), 17U);
  EXPECT_EQ(stats.at("total_bytes"), 18U);
  EXPECT_EQ(stats.at("tag_999"), 1U) << "they are kept by number";
  EXPECT_EQ(stats.at("tag_65535"), 2U);
}

TEST_F(Stats, EveryTagOfLinuxHasAName) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  std::vector<driver::StatEntry> entries;
  // No part of its memory is larger than all of it, tag 5.
  const auto value = [](unsigned tag) { return tag == 5 ? 2000U : 1000U + tag; };
  for (std::uint16_t tag = 0; tag < 16; ++tag) entries.push_back({tag, value(tag)});
  driver->set_stats(entries);
  const Json stats = stats_while_serving(*driver);
  const char* const names[] = {
      "swap_in_bytes",       "swap_out_bytes",    "major_faults",        "minor_faults",
      "free_bytes",          "total_bytes",       "available_bytes",     "disk_caches_bytes",
      "hugetlb_allocations", "hugetlb_failures",  "oom_kills",           "alloc_stalls",
      "async_scan_bytes",    "direct_scan_bytes", "async_reclaim_bytes", "direct_reclaim_bytes"};
  for (unsigned tag = 0; tag < 16; ++tag) EXPECT_EQ(stats.at(names[tag]), value(tag)) << tag;
}

/// virtio-win #1323: -1, and -4096, where the query of its service failed.
TEST_F(Stats, WhatCannotBeIsUnknownAndNamed) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  driver->set_stats({{0, UINT64_MAX - 4095}, {4, kMiB}, {5, 16 * kMiB}, {6, UINT64_MAX}});
  const Json stats = stats_while_serving(*driver);
  EXPECT_EQ(stats.at("nonsense"), Json({"swap_in_bytes", "available_bytes"}));
  EXPECT_FALSE(stats.contains("swap_in_bytes"));
  EXPECT_FALSE(stats.contains("available_bytes"));
  EXPECT_EQ(stats.at("free_bytes"), kMiB);
  const Json device = show();
  EXPECT_EQ(device.at("guest_bytes"), device.at("table_bytes")) << "which it booted with";
}

TEST_F(Stats, AFloodOfTagsIsBounded) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  std::vector<driver::StatEntry> entries;
  for (std::uint16_t tag = 1000; tag < 1064; ++tag) entries.push_back({tag, tag});
  driver->set_stats(entries);
  const Json stats = stats_while_serving(*driver);
  EXPECT_EQ(stats.at("tag_1000"), 1000U);
  EXPECT_EQ(stats.at("tag_1015"), 1015U);
  EXPECT_FALSE(stats.contains("tag_1016"));
  EXPECT_EQ(stats.at("left_out"), 48U);
}

TEST_F(Stats, WorkAfterAPauseWithTheBufferHeld) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  for (std::uint64_t round = 1; round <= 5; ++round) {
    must(driver->pause());
    must(driver->resume());
    driver->set_stats({{4, round}});
    EXPECT_EQ(stats_while_serving(*driver).at("free_bytes"), round);
  }
  expect_no_violations(*driver);
}

TEST_F(Stats, WorkAfterAMemoryTableAndAReset) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  must(driver->update_memory());
  driver->set_stats({{4, 1}});
  EXPECT_EQ(stats_while_serving(*driver).at("free_bytes"), 1U);
  must(driver->reset());
  driver->set_stats({{4, 2}});
  EXPECT_EQ(stats_while_serving(*driver).at("free_bytes"), 2U);
  expect_no_violations(*driver);
}

TEST_F(Stats, ADriverWithoutTheQueueIsNamed) {
  DriverOptions options;
  options.features = all_but({wire::Feature::kStatsVq});
  const auto driver = connect(options);
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  const auto refused = daemon_.try_call("device.stats", {{"name", device_}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("STATS_VQ"), std::string::npos);
}

TEST_F(Stats, ADriverThatDoesNotAnswerIsWaitedForNoLongerThanAsked) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  const auto begin = std::chrono::steady_clock::now();
  static_cast<void>(daemon_.try_call("device.stats", {{"name", device_}, {"timeout_ms", 200}}));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(Stats, ADriverThatStoppedAnsweringIsFlaggedUntilItAnswers) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return !show().at("stats").is_null(); }));
  EXPECT_EQ(show().at("stats_stalled"), false);
  const auto ask_in_vain = [this] {
    return daemon_.try_call("device.stats", {{"name", device_}, {"timeout_ms", 1100}});
  };
  const auto first = ask_in_vain();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->at("fresh"), false);
  EXPECT_GE(first->at("waiting_ms"), 1100U);
  EXPECT_EQ(show().at("stats_stalled"), false) << "it may only be slow";
  static_cast<void>(ask_in_vain());
  const Json stalled = show();
  EXPECT_EQ(stalled.at("stats_stalled"), true);
  EXPECT_GE(stalled.at("stats_waiting_ms"), 2200U) << "since it was asked first";
  EXPECT_GE(stalled.at("stats").at("age_ms"), 2200U) << "what there is is shown with its age";

  static_cast<void>(must(driver->serve(driver::Deadline(std::chrono::milliseconds(100)))));
  EXPECT_TRUE(eventually([this] { return show().at("stats_stalled") == false; }));
  EXPECT_EQ(show().at("stats_waiting_ms"), 0U);
}

TEST_F(Stats, APausedGuestOwesNoAnswer) {
  const auto driver = connect();
  ASSERT_TRUE(eventually([this] { return !show().at("stats").is_null(); }));
  static_cast<void>(daemon_.try_call("device.stats", {{"name", device_}, {"timeout_ms", 50}}));
  must(driver->pause());
  EXPECT_EQ(show().at("stats_waiting_ms"), 0U);
  must(driver->resume());
  EXPECT_LT(show().at("stats_waiting_ms"), 50U);
}

}  // namespace
}  // namespace vballoon::model
