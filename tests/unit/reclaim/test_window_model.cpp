// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_window_model.cpp - the window against a set of pages, step by random
// step.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "window_fixture.hpp"

namespace vballoon::reclaim {
namespace {

/// The gathered pages are a set, nothing comes out twice, and nothing stays longer than it may.
class WindowModel : public WindowTest {
 protected:
  void step() {
    now_us_ += random_() % 40;
    const std::uint64_t first = random_() % (8 * kBlockPages);
    const PageRun run{first,
                      std::min<std::uint64_t>(1 + random_() % (random_() % 40 == 0 ? 900 : 6),
                                              8 * kBlockPages - first)};
    switch (random_() % 12) {
      case 0:
      case 1:
      case 2: {
        remove(run);
        for (std::uint64_t page = run.first; page < run.end(); ++page) since_.erase(page);
        break;
      }
      case 3:
        take(random_() % 8);
        break;
      case 4: {
        window_->age(now_us_);
        take(UINT64_MAX);
        for (const auto& [page, since] : since_)
          ASSERT_LT(now_us_ - since, kAges.longest_us) << page;
        break;
      }
      case 5: {
        const std::uint64_t most = random_() % 3000;
        window_->shrink_to(most);
        take(UINT64_MAX);
        ASSERT_LE(window_->pages(), most);
        break;
      }
      default: {
        add(run, now_us_);
        for (std::uint64_t page = run.first; page < run.end(); ++page)
          since_.emplace(page, now_us_);
      }
    }
    ASSERT_EQ(window_->pages(), since_.size());
    ASSERT_EQ(window_->empty(), since_.empty());
  }

  void take(std::uint64_t runs) {
    for (; runs > 0; --runs) {
      ASSERT_FALSE(window_->empty() && window_->any_ready());
      const auto run = window_->take();
      if (!run) return;
      ASSERT_NE(run->pages, 0U);
      ASSERT_EQ(run->first / kBlockPages, (run->end() - 1) / kBlockPages) << "within a block";
      for (std::uint64_t page = run->first; page < run->end(); ++page) {
        ASSERT_EQ(since_.erase(page), 1U) << page << " was not gathered";
      }
      const bool block_ends = run->end() % kBlockPages == 0;
      ASSERT_TRUE(block_ends || !since_.contains(run->end())) << "as long as it can be";
    }
  }

  std::mt19937 random_{71};
  std::uint64_t now_us_ = 1'000'000;
  std::map<std::uint64_t, std::uint64_t> since_;  // gathered page, and when it came
};

TEST_F(WindowModel, RandomStepsFollowASet) {
  for (int i = 0; i < 100'000 && !HasFatalFailure(); ++i) step();
  for (std::uint64_t page = 0; page < 8 * kBlockPages; ++page) {
    ASSERT_EQ(window_->gathered().test(page), since_.contains(page)) << page;
  }
  window_->release_all();
  take(UINT64_MAX);
  EXPECT_TRUE(since_.empty());
  EXPECT_TRUE(window_->empty());
}

}  // namespace
}  // namespace vballoon::reclaim
