// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_page_run.cpp - runs are merged, whichever way pages come.
// Layer:  tests of reclaim.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {
namespace {

std::vector<PageRun> runs_of(RunList& list) {
  const auto merged = list.merged();
  return {merged.begin(), merged.end()};
}

/// The longest runs of a set.
std::vector<PageRun> runs_of(const std::set<std::uint64_t>& pages) {
  std::vector<PageRun> runs;
  for (const std::uint64_t page : pages) {
    if (!runs.empty() && runs.back().end() == page) {
      ++runs.back().pages;
    } else {
      runs.push_back({page, 1});
    }
  }
  return runs;
}

TEST(RunList, PagesThatGoUpAreOneRun) {
  RunList list(1);  // room for no second one
  for (std::uint64_t page = 100; page < 400; ++page) ASSERT_TRUE(list.add({page, 1}));
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{100, 300}}));
}

TEST(RunList, PagesThatGoDownAreOneRun) {
  RunList list(1);
  for (std::uint64_t page = 400; page-- > 100;) ASSERT_TRUE(list.add({page, 1}));
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{100, 300}}));
}

TEST(RunList, RunsMergeToo) {
  RunList list(2);
  ASSERT_TRUE(list.add({512, 512}));
  ASSERT_TRUE(list.add({0, 512}));
  ASSERT_TRUE(list.add({1024, 1}));
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{0, 1025}}));
}

TEST(RunList, WhatArrivesApartIsJoinedWhenDrained) {
  RunList list(8);
  for (const std::uint64_t page : {5U, 1U, 3U, 2U, 9U, 4U}) ASSERT_TRUE(list.add({page, 1}));
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{1, 5}, {9, 1}}));
}

TEST(RunList, OverlapsAndDuplicatesCountOnce) {
  RunList list(8);
  ASSERT_TRUE(list.add({10, 5}));
  ASSERT_TRUE(list.add({10, 5}));
  ASSERT_TRUE(list.add({12, 1}));
  ASSERT_TRUE(list.add({13, 10}));
  ASSERT_TRUE(list.add({30, 1}));
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{10, 13}, {30, 1}}));
}

TEST(RunList, NeighboursStayApartWherePagesAreMissing) {
  RunList list(8);
  ASSERT_TRUE(list.add({0, 1}));
  ASSERT_TRUE(list.add({2, 1}));
  ASSERT_TRUE(list.add({0xffff'ffff'ffff'0, 1}));
  EXPECT_EQ(runs_of(list).size(), 3U);
}

TEST(RunList, WithoutRoomNothingIsTaken) {
  RunList list(2);
  ASSERT_TRUE(list.add({0, 1}));
  ASSERT_TRUE(list.add({10, 1}));
  EXPECT_FALSE(list.add({20, 1}));
  EXPECT_TRUE(list.add({11, 1})) << "it still grows what is there";
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{0, 1}, {10, 2}}));
  list.clear();
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.add({20, 1}));
  EXPECT_EQ(runs_of(list), (std::vector<PageRun>{{20, 1}}));
}

TEST(RunList, MergingMakesRoom) {
  RunList list(3);
  ASSERT_TRUE(list.add({0, 1}));
  ASSERT_TRUE(list.add({2, 1}));
  ASSERT_TRUE(list.add({1, 1}));
  EXPECT_EQ(list.merged().size(), 1U);
  EXPECT_TRUE(list.add({10, 1}));
  EXPECT_TRUE(list.add({20, 1}));
}

TEST(RunList, AnEmptyListHasNoRuns) {
  RunList list(4);
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.merged().empty());
}

TEST(RunList, RandomRunsAreTheSetOfTheirPages) {
  std::mt19937 random(21);
  for (unsigned round = 0; round < 500; ++round) {
    RunList list(64);
    std::set<std::uint64_t> model;
    for (int i = 0; i < 60; ++i) {
      const PageRun run{random() % 500, 1 + random() % (round % 20 + 1)};
      ASSERT_TRUE(list.add(run));
      for (std::uint64_t page = run.first; page < run.end(); ++page) model.insert(page);
    }
    ASSERT_EQ(runs_of(list), runs_of(model)) << round;
  }
}

}  // namespace
}  // namespace vballoon::reclaim
