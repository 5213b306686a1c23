// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_ledger.cpp - which pages are in the balloon, host pages being 4 KiB.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "reclaim/ledger.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

/// 64 pages at 16, 100 pages right behind them, 900 pages at 1000; no huge pages, no file at all.
const std::vector<test::RamPiece> kPieces{{Gpa{16 * kPageSize}, 64 * kPageSize, 0},
                                          {Gpa{80 * kPageSize}, 100 * kPageSize, 0},
                                          {Gpa{1000 * kPageSize}, 900 * kPageSize, 0}};
constexpr std::uint64_t kEnd = 1900;

bool in_memory(std::uint64_t page) {
  return (page >= 16 && page < 180) || (page >= 1000 && page < kEnd);
}

class LedgerTest : public testing::Test {
 protected:
  std::uint64_t insert(PageRun run) {
    std::uint64_t fresh = 0;
    blocks_.for_each_part(run, [&](const Part& part) { fresh += ledger_.insert(part); });
    return fresh;
  }
  std::uint64_t erase(PageRun run) {
    std::uint64_t gone = 0;
    blocks_.for_each_part(run, [&](const Part& part) { gone += ledger_.erase(part); });
    return gone;
  }
  [[nodiscard]] bool contains(std::uint64_t page) const {
    const Part part = blocks_.first_part({page, 1});
    return part.pages == 1 && ledger_.pages().test(part.index);
  }

  test::PhantomMap memory_{-1, kPieces};
  BlockMap blocks_{memory_.map()};
  Ledger ledger_{blocks_};
};

TEST_F(LedgerTest, IsEmptyAtFirst) {
  EXPECT_EQ(ledger_.population(), 0U);
  EXPECT_EQ(ledger_.stranded(), 0U);
  EXPECT_EQ(ledger_.pages().next_set(0, ledger_.pages().size()), ledger_.pages().size());
  EXPECT_EQ(ledger_.pages().size(), 64U + 100U + 900U) << "a bit for each page of memory, no more";
}

TEST_F(LedgerTest, APageIsInOnce) {
  EXPECT_EQ(insert({20, 1}), 1U);
  EXPECT_EQ(insert({20, 1}), 0U);
  EXPECT_EQ(ledger_.population(), 1U);
  EXPECT_TRUE(contains(20));
  EXPECT_EQ(erase({20, 1}), 1U);
  EXPECT_EQ(erase({20, 1}), 0U);
  EXPECT_EQ(ledger_.population(), 0U);
  EXPECT_FALSE(contains(20));
}

TEST_F(LedgerTest, ARunThatIsPartlyInCountsTheRest) {
  EXPECT_EQ(insert({30, 10}), 10U);
  EXPECT_EQ(insert({25, 20}), 10U);
  EXPECT_EQ(erase({20, 10}), 5U);
  EXPECT_EQ(ledger_.population(), 15U);
  EXPECT_EQ(insert({70, 20}), 20U) << "across two regions";
  EXPECT_EQ(ledger_.population(), 35U);
}

// The first region is one block, the second another, the third has 512 and 388 pages.
TEST_F(LedgerTest, ABlockIsCompleteWithAllItsPagesWhateverTheirOrder) {
  std::mt19937 random(30);
  for (std::uint32_t id = 0; id < blocks_.count(); ++id) {
    const PageRun all = blocks_[id].run;
    std::vector<std::uint64_t> pages;
    for (std::uint64_t page = all.first; page < all.end(); ++page) pages.push_back(page);
    std::shuffle(pages.begin(), pages.end(), random);
    for (const std::uint64_t page : pages) {
      ASSERT_FALSE(ledger_.complete(id));
      insert({page, 1});
    }
    EXPECT_TRUE(ledger_.complete(id));
    insert({pages[0], 1});
    EXPECT_TRUE(ledger_.complete(id));
    erase({pages[0], 1});
    EXPECT_FALSE(ledger_.complete(id));
    insert({pages[0], 1});
    EXPECT_TRUE(ledger_.complete(id));
  }
}

TEST_F(LedgerTest, RandomStepsFollowASet) {
  std::set<std::uint64_t> model;
  std::mt19937 random(31);
  for (int step = 0; step < 50'000; ++step) {
    const std::uint64_t first = random() % (kEnd + 100);
    const std::uint64_t count = random() % 4 == 0 ? 1 + random() % 200 : 1;
    // As far as the run is memory, which is what for_each_part() visits.
    std::uint64_t expected = 0;
    const bool insertion = random() % 2 == 0;
    for (std::uint64_t page = first; page < first + count && in_memory(page); ++page) {
      expected += insertion ? (model.insert(page).second ? 1 : 0) : model.erase(page);
    }
    ASSERT_EQ(insertion ? insert({first, count}) : erase({first, count}), expected);
    ASSERT_EQ(ledger_.population(), model.size());
    ASSERT_EQ(ledger_.stranded(), 0U);
  }
  for (std::uint64_t page = 0; page < kEnd + 100; ++page) {
    ASSERT_EQ(contains(page), model.contains(page)) << page;
  }
}

}  // namespace
}  // namespace vballoon::reclaim
