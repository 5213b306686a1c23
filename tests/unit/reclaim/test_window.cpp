// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_window.cpp - pages wait for their neighbours, and no longer than they
// may. Time is a number that the test moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "window_fixture.hpp"

namespace vballoon::reclaim {
namespace {

TEST_F(WindowTest, IsEmptyAtFirst) {
  EXPECT_TRUE(window_->empty());
  EXPECT_FALSE(window_->any_ready());
  EXPECT_EQ(window_->take(), std::nullopt);
  window_->release_all();
  window_->shrink_to(0);
  EXPECT_TRUE(at(1'000'000).empty());
}

TEST_F(WindowTest, ACompleteBlockGoesAtOnce) {
  add({kBlockPages, 256});
  EXPECT_FALSE(window_->any_ready());
  add({kBlockPages + 256, 255});
  EXPECT_FALSE(window_->any_ready());
  add({2 * kBlockPages - 1, 1});
  ASSERT_TRUE(window_->any_ready());
  EXPECT_EQ(&window_->next_region(), &blocks_->memory().regions()[0]);
  EXPECT_EQ(take_all(), (Runs{{kBlockPages, kBlockPages}}));
  EXPECT_TRUE(window_->empty());
}

TEST_F(WindowTest, ABlockThatIsLessThanOneOfTheFileIsCompleteWithWhatTheGuestHas) {
  add({kTail, kBlockPages / 2});
  EXPECT_EQ(&window_->next_region(), &blocks_->memory().regions()[1]);
  EXPECT_EQ(take_all(), (Runs{{kTail, kBlockPages / 2}}));
}

TEST_F(WindowTest, ALongRunIsAsManyRunsAsItTouchesBlocks) {
  add({100, 2 * kBlockPages});
  window_->release_all();
  Runs runs = take_all();
  std::sort(runs.begin(), runs.end(), [](PageRun a, PageRun b) { return a.first < b.first; });
  EXPECT_EQ(runs,
            (Runs{{100, kBlockPages - 100}, {kBlockPages, kBlockPages}, {2 * kBlockPages, 100}}));
}

TEST_F(WindowTest, AnIncompleteBlockWaitsForItsTimeAndNoLonger) {
  add({10, 20}, 5000);
  EXPECT_TRUE(at(5099).empty());
  EXPECT_TRUE(at(5999).empty()) << "short runs: up to the bound";
  EXPECT_EQ(window_->pages(), 20U);
  EXPECT_EQ(at(6000), (Runs{{10, 20}}));
}

TEST_F(WindowTest, LongRunsWaitLess) {
  add({0, kLongRunPages}, 5000);
  add({kBlockPages, kLongRunPages - 1}, 5000);
  EXPECT_TRUE(at(5099).empty());
  EXPECT_EQ(at(5100), (Runs{{0, kLongRunPages}}));
  EXPECT_TRUE(at(5999).empty());
  EXPECT_EQ(at(6000), (Runs{{kBlockPages, kLongRunPages - 1}}));
}

TEST_F(WindowTest, TwoLongRunsInABlockAreLongAndThreeAreNot) {
  add({0, kLongRunPages}, 0);
  add({kLongRunPages + 1, kLongRunPages}, 0);
  add({kBlockPages, kLongRunPages}, 0);
  add({kBlockPages + kLongRunPages + 1, kLongRunPages}, 0);
  add({2 * kBlockPages - 2, 1}, 0);
  EXPECT_EQ(at(100), (Runs{{0, kLongRunPages}, {kLongRunPages + 1, kLongRunPages}}));
  EXPECT_EQ(at(1000).size(), 3U);
}

// A piece of a transparent huge page costs a split: there only the whole is worth having early.
TEST_F(WindowTest, OnTransparentHugePagesLongRunsWaitToo) {
  build(kAges, true);
  add({0, kBlockPages - 1}, 0);
  EXPECT_TRUE(at(999).empty());
  EXPECT_EQ(at(1000), (Runs{{0, kBlockPages - 1}}));
}

// Freeing one takes so little that the call itself counts.
TEST_F(WindowTest, SeveralTransparentHugePagesAreOneRun) {
  build(kAges, true);
  constexpr std::uint64_t kThpBlockPages = kThpBlockBytes / kPageSize;
  add({0, kThpBlockPages - 1});
  EXPECT_TRUE(at(0).empty());
  add({kThpBlockPages - 1, 2});
  EXPECT_EQ(at(0), (Runs{{0, kThpBlockPages}}));
  EXPECT_EQ(window_->pages(), 1U) << "of the next block";
}

TEST_F(WindowTest, SaysWhenItIsWorthLookingAgain) {
  add({0, 300}, 50);
  EXPECT_EQ(window_->due_in_us(50), 100U) << "long runs, perhaps";
  add({600, 1}, 60);
  EXPECT_EQ(window_->due_in_us(140), 10U) << "the first of them";
  EXPECT_EQ(at(150), (Runs{{0, 300}}));
  EXPECT_EQ(window_->due_in_us(150), 10U);
  EXPECT_TRUE(at(160).empty()) << "a short one";
  EXPECT_EQ(window_->due_in_us(160), 900U);
  EXPECT_EQ(window_->due_in_us(2000), 0U) << "overdue";
  add({kBlockPages, kBlockPages}, 160);
  EXPECT_EQ(window_->due_in_us(160), 0U) << "a whole block does not wait";
}

// The bound is that of the first page: one that trickles in does not keep the others back.
TEST_F(WindowTest, LatecomersDoNotProlongTheWait) {
  for (std::uint64_t i = 0; i < 10; ++i) {
    add({2 * i, 1}, 100 * i);
    EXPECT_TRUE(at(100 * i).empty());
  }
  EXPECT_EQ(at(1000).size(), 10U);
  add({50, 1}, 1500);
  EXPECT_TRUE(at(2499).empty()) << "a new wait, after all had gone";
  EXPECT_EQ(at(2500), (Runs{{50, 1}}));
}

TEST_F(WindowTest, WhatIsRemovedDoesNotComeOut) {
  add({0, 10});
  remove({3, 4});
  EXPECT_EQ(window_->pages(), 6U);
  EXPECT_EQ(at(1000), (Runs{{0, 3}, {7, 3}}));
  add({20, 5});
  remove({20, 5});
  EXPECT_TRUE(window_->empty());
  EXPECT_TRUE(at(5000).empty());
  remove({20, 5});
  EXPECT_TRUE(window_->empty()) << "not there is not an error";
}

TEST_F(WindowTest, WhatIsRemovedFromAReadyBlockDoesNotComeOutEither) {
  add({0, kBlockPages});
  remove({100, 1});
  EXPECT_EQ(take_all(), (Runs{{0, 100}, {101, kBlockPages - 101}}));
  add({100, 1});
  remove({0, kBlockPages});
  EXPECT_FALSE(window_->any_ready());
}

// Whoever takes may stop in the middle of a block: the rest follows, what is new with it.
TEST_F(WindowTest, ABlockThatIsHalfTakenGoesOn) {
  add({0, 1});
  add({2, 1});
  add({4, 1});
  window_->release_all();
  EXPECT_EQ(*window_->take(), (PageRun{0, 1}));
  remove({2, 1});
  add({6, 1}, 0);
  EXPECT_EQ(take_all(), (Runs{{4, 1}, {6, 1}}));
}

TEST_F(WindowTest, ShrinkTakesTheOldestAndNoMoreThanNeeded) {
  for (std::uint64_t block = 0; block < 6; ++block) add({block * kBlockPages, 10}, block * 150);
  add({7 * kBlockPages, kBlockPages}, 2000);  // ready at once, and counted
  window_->age(400);                          // the first ones have grown old
  EXPECT_EQ(take_all(), (Runs{{7 * kBlockPages, kBlockPages}}));
  window_->shrink_to(60);
  EXPECT_FALSE(window_->any_ready());
  window_->shrink_to(35);
  EXPECT_EQ(take_all(), (Runs{{0, 10}, {kBlockPages, 10}, {2 * kBlockPages, 10}}));
  window_->shrink_to(30);
  EXPECT_FALSE(window_->any_ready());
  window_->shrink_to(0);
  EXPECT_EQ(take_all().size(), 3U);
}

TEST_F(WindowTest, ShrinkCountsWhatIsReadyAlready) {
  add({0, 10}, 0);
  add({kBlockPages, 10}, 1);
  add({2 * kBlockPages, kBlockPages}, 2);
  window_->shrink_to(20);
  EXPECT_EQ(take_all(), (Runs{{2 * kBlockPages, kBlockPages}})) << "that it goes is enough";
}

TEST_F(WindowTest, ReleaseAllLeavesNothing) {
  for (std::uint64_t block = 0; block < 8; ++block) add({block * kBlockPages + block, 3}, block);
  window_->age(105);
  window_->release_all();
  EXPECT_EQ(take_all().size(), 8U);
  EXPECT_TRUE(window_->empty());
}

TEST_F(WindowTest, AHugePageIsGatheredWholeOrNotAtAll) {
  const UniqueFd fd = test::open_hugetlb();
  if (!fd.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
  const std::uint64_t huge = gmem::inspect_backing(fd.get()).host_page;
  const std::uint64_t full = bytes_to_pages(huge);
  const test::PhantomMap memory(fd.get(), std::vector<test::RamPiece>{{Gpa{0}, 2 * huge, 0}});
  blocks_ = std::make_unique<BlockMap>(memory.map());
  ledger_ = std::make_unique<Ledger>(*blocks_);
  window_ = std::make_unique<Window>(*blocks_, kAges);
  add({0, full - 1});
  EXPECT_TRUE(window_->empty());
  add({full - 1, 2});
  EXPECT_EQ(window_->pages(), full);
  remove({17, 1});
  EXPECT_TRUE(window_->empty()) << "complete no longer";
  add({17, 1});
  EXPECT_EQ(take_all(), (Runs{{0, full}}));
}

}  // namespace
}  // namespace vballoon::reclaim
