// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_reclaimer.cpp - few, long, aligned holes, and none where none belongs.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <vector>

#include "reclaim_layout.hpp"

namespace vballoon::reclaim {
namespace {

class ReclaimerTest : public LayoutTest {};

TEST_F(ReclaimerTest, NothingHappensBeforeAPass) {
  h_.inflate({kLow, 512});
  EXPECT_TRUE(h_.calls().empty());
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 512U);
  h_.flush();
  EXPECT_FALSE(h_.calls().empty());
  const std::size_t calls = h_.calls().size();
  h_.flush();
  EXPECT_EQ(h_.calls().size(), calls) << "a second flush has nothing to do";
}

TEST_F(ReclaimerTest, NeighboursAreOneCallInWhateverOrderTheyCame) {
  auto pages = range(kLow + 512, 256);
  std::mt19937 random(51);
  for (int order = 0; order < 3; ++order) {
    if (order == 1) std::reverse(pages.begin(), pages.end());
    if (order == 2) std::shuffle(pages.begin(), pages.end(), random);
    h_.calls().clear();
    h_.inflate_all(pages);
    h_.flush();
    ASSERT_EQ(h_.calls().size(), 1U) << order;
    EXPECT_EQ(h_.calls()[0].offset, pages_to_bytes(file_page(kLow + 512)));
    EXPECT_EQ(h_.calls()[0].bytes, pages_to_bytes(256));
    EXPECT_EQ(h_.deflate({kLow + 512, 256}).changed, 256U);
  }
  EXPECT_EQ(h_.counters().inflated.calls.get(), 3U);
  EXPECT_EQ(h_.counters().inflated.bytes.get(), 3 * pages_to_bytes(256));
}

TEST_F(ReclaimerTest, OverlapsAndDuplicatesAreDiscardedOnce) {
  h_.inflate({kLow + 10, 5});
  h_.inflate({kLow + 10, 5});
  h_.inflate(kLow + 12);
  h_.inflate({kLow + 13, 10});
  h_.inflate(kLow + 30);
  h_.flush();
  EXPECT_EQ(h_.calls().size(), 2U);
  EXPECT_EQ(h_.discarder().file_pages(), expected_runs({{kLow + 10, 13}, {kLow + 30, 1}}));
  expect_tidy_calls();
}

TEST_F(ReclaimerTest, LongRunsAreCutAtBlocksOfTheFile) {
  h_.inflate({kLow + 100, 2000});
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), expected_runs({{kLow + 100, 2000}}));
  expect_tidy_calls();
  const std::uint64_t first = file_page(kLow + 100) / 512;
  const std::uint64_t last = file_page(kLow + 2099) / 512;
  EXPECT_EQ(h_.calls().size(), last - first + 1) << "one call a block, no more";
}

TEST_F(ReclaimerTest, TheRegionsOwnFileIsPunched) {
  h_.inflate(kHigh);
  h_.flush();
  ASSERT_EQ(h_.calls().size(), 1U);
  EXPECT_NE(h_.calls()[0].fd, ram_.fd()) << "the map keeps a descriptor of its own";
  EXPECT_TRUE(gmem::inspect_backing(h_.calls()[0].fd).can_discard);
  EXPECT_EQ(h_.calls()[0].offset, kHighInFile * kPageSize);
}

TEST_F(ReclaimerTest, WhatIsDeflatedBeforeThePassIsNotDiscarded) {
  h_.inflate({kLow, 100});
  for (const std::uint64_t page : {kLow, kLow + 50, kLow + 51, kLow + 99}) {
    EXPECT_EQ(h_.deflate(page).changed, 1U);
  }
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), expected_runs({{kLow + 1, 49}, {kLow + 52, 47}}));
  EXPECT_EQ(h_.calls().size(), 2U);
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 96U);
}

TEST_F(ReclaimerTest, WhatIsInflatedAgainAfterADeflateIsDiscarded) {
  h_.inflate(kLow);
  h_.deflate(kLow);
  h_.inflate(kLow);
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), expected({kLow}));
  expect_tidy_calls();
}

TEST_F(ReclaimerTest, TalliesTellWhatCameOfTheirPages) {
  const auto expect_tally = [](const Tally& tally, std::uint64_t changed, std::uint64_t unchanged,
                               std::uint64_t outside) {
    EXPECT_EQ(tally.changed, changed);
    EXPECT_EQ(tally.unchanged, unchanged);
    EXPECT_EQ(tally.outside, outside);
  };
  expect_tally(h_.inflate(kLow - 1), 0, 0, 1);
  expect_tally(h_.inflate(UINT32_MAX), 0, 0, 1);
  expect_tally(h_.deflate(kLow - 1), 0, 0, 1);
  expect_tally(h_.deflate(kLow), 0, 1, 0);
  expect_tally(h_.inflate({kLow - 5, 15}), 10, 0, 5);
  expect_tally(h_.inflate({kLow + 5, 10}), 5, 5, 0);
  expect_tally(h_.inflate({kLow + kLowPages - 1, 3}), 1, 0, 2);
  expect_tally(h_.deflate({kLow + 10, 10}), 5, 5, 0);
  // From before all of memory to behind it, over the hole in the middle.
  const std::uint64_t all = kLowPages + kHighPages;
  const std::uint64_t span = kHigh + kHighPages + 7;
  expect_tally(h_.inflate({0, span}), all - 11, 11, span - all);
  expect_tally(h_.deflate({0, span}), all, 0, span - all);
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 0U);
}

// A guest that gives a page which is in already has used it since.
TEST_F(ReclaimerTest, APageThatIsInflatedAgainIsDiscardedAgain) {
  h_.inflate(kLow);
  h_.flush();
  const Tally again = h_.inflate(kLow);
  EXPECT_EQ(again.changed, 0U);
  EXPECT_EQ(again.unchanged, 1U);
  h_.flush();
  EXPECT_EQ(h_.calls().size(), 2U);
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 1U);
}

TEST_F(ReclaimerTest, FragmentsBeyondAPassesShareAreSpreadAndNoneIsLost) {
  std::vector<std::uint64_t> pages;
  for (std::uint64_t page = kLow; page < kLow + kLowPages; page += 2) pages.push_back(page);
  ASSERT_GT(pages.size(), 3000U);
  h_.inflate_all(pages);
  h_.reclaimer().pump(h_.now_us, true);
  EXPECT_FALSE(h_.reclaimer().drained()) << "other guests wait while this one's pages go";
  EXPECT_LT(h_.calls().size(), 200U);
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), expected(pages));
  EXPECT_EQ(h_.calls().size(), pages.size());
  expect_tidy_calls();
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), pages.size());
}

TEST_F(ReclaimerTest, ARefusalIsCountedAndThePagesStay) {
  const std::uint64_t block = pages_to_bytes(file_page(kLow + 512));
  h_.discarder().refuse = [block](const test::DiscardCall& call) { return call.offset == block; };
  h_.inflate({kLow, 1536});
  h_.flush();
  ASSERT_EQ(h_.calls().size(), 3U) << "the pieces behind a refused one are still tried";
  EXPECT_EQ(h_.counters().failed_calls.get(), 1U);
  EXPECT_EQ(h_.counters().inflated.calls.get(), 3U);
  EXPECT_EQ(h_.counters().inflated.bytes.get(), 2 * kBlockBytes);
  const SizeHistogram::Counts holes = h_.counters().holes.get();
  EXPECT_EQ(holes.sum, 2 * kBlockBytes) << "a refused one is no hole";
  EXPECT_EQ(holes.buckets[SizeHistogram::bucket_of(kBlockBytes)], 2U);
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 1536U);
  EXPECT_EQ(h_.deflate(kLow + 600).changed, 1U);
}

TEST_F(ReclaimerTest, EmptyForgetsTheBalloonAndWhatWasGathered) {
  h_.inflate({kLow, 10});
  h_.report(pages_to_bytes(kHigh), kPageSize);
  h_.reclaimer().empty();
  EXPECT_TRUE(h_.reclaimer().drained());
  h_.flush();
  EXPECT_TRUE(h_.calls().empty()) << "after a reset every page is the guest's";
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 0U);
  EXPECT_EQ(h_.counters().gathered_pages.get(), 0U);
  h_.inflate(kLow);
  h_.flush();
  EXPECT_EQ(h_.calls().size(), 1U);
}

TEST_F(ReclaimerTest, ReleaseLetsGoOfTheMemory) {
  const std::weak_ptr<const gmem::GuestMemory> watched = [this] {
    auto memory = ram_.map();
    h_.reclaimer().set_memory(memory);
    return std::weak_ptr(memory);
  }();
  EXPECT_FALSE(watched.expired());
  h_.inflate(kLow);
  h_.reclaimer().release();
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 0U);
  EXPECT_FALSE(h_.reclaimer().busy());
  h_.flush();
  EXPECT_TRUE(h_.calls().empty());
}

/// At no time is a page discarded that is neither in the balloon nor reported, and after a flush
/// none is left that should have been.
class ReclaimerModel {
 public:
  explicit ReclaimerModel(test::ReclaimHarness& h) : h_(h) {
    h_.discarder().on_call = [this](const test::DiscardCall& call) {
      for (std::uint64_t at = call.offset; at < call.offset + call.bytes; at += kPageSize) {
        const std::uint64_t page = at / kPageSize;
        ASSERT_TRUE(balloon_.contains(page) || reported_.contains(page)) << page;
      }
    };
  }

  void step() {
    const bool low = random_() % 4 != 0;
    const std::uint64_t page = low ? kLow + random_() % 1500 : kHigh + random_() % kHighPages;
    const std::uint64_t left = (low ? kLow + kLowPages : kHigh + kHighPages) - page;
    // Mostly short; now and then long enough to make a block complete.
    const std::uint64_t most = random_() % 32 == 0 ? 700 : 8;
    const PageRun run{page, std::min<std::uint64_t>(1 + random_() % most, left)};
    switch (random_() % 5) {
      case 0:
        report(run);
        break;
      case 1:
      case 2:
        deflate(run);
        break;
      default:
        inflate(run);
    }
  }

  void flush() {
    h_.calls().clear();
    h_.flush();
    std::set<std::uint64_t> wanted = reported_;
    std::set_intersection(due_.begin(), due_.end(), balloon_.begin(), balloon_.end(),
                          std::inserter(wanted, wanted.end()));
    ASSERT_EQ(h_.discarder().file_pages(), wanted);
    ASSERT_EQ(h_.reclaimer().gather().ballooned_pages(), balloon_.size());
    due_.clear();
    reported_.clear();
  }

 private:
  void report(PageRun run) {
    if (!h_.reclaimer().report({gpa_of(run.first), pages_to_bytes(run.pages)})) return;
    for (std::uint64_t i = 0; i < run.pages; ++i) reported_.insert(file_page(run.first) + i);
  }
  void deflate(PageRun run) {
    std::uint64_t left = 0;
    for (std::uint64_t i = 0; i < run.pages; ++i) left += balloon_.erase(file_page(run.first) + i);
    for (std::uint64_t i = 0; i < run.pages; ++i) due_.erase(file_page(run.first) + i);
    ASSERT_EQ(h_.deflate(run).changed, left);
  }
  void inflate(PageRun run) {
    std::uint64_t entered = 0;
    for (std::uint64_t i = 0; i < run.pages; ++i) {
      entered += balloon_.insert(file_page(run.first) + i).second ? 1U : 0U;
      due_.insert(file_page(run.first) + i);
    }
    ASSERT_EQ(h_.inflate(run).changed, entered);
  }

  test::ReclaimHarness& h_;
  std::mt19937 random_{52};
  std::set<std::uint64_t> balloon_;   // file pages
  std::set<std::uint64_t> due_;       // gathered by inflation, to be discarded if still in
  std::set<std::uint64_t> reported_;  // since the last flush
};

TEST_F(ReclaimerTest, RandomStepsFollowAModel) {
  ReclaimerModel model(h_);
  std::mt19937 random(53);
  for (int round = 0; round < 300 && !HasFatalFailure(); ++round) {
    for (std::uint64_t step = random() % 400; step > 0 && !HasFatalFailure(); --step) model.step();
    model.flush();
  }
}

}  // namespace
}  // namespace vballoon::reclaim
