// SPDX-License-Identifier: BSD-3-Clause
#include "driver/page_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace vballoon::driver {
namespace {

std::vector<Pfn> first_pages(std::uint32_t count) {
  std::vector<Pfn> pages;
  for (std::uint32_t i = 0; i < count; ++i) pages.push_back(Pfn{i});
  return pages;
}

TEST(PageOrder, ParsesItsNames) {
  EXPECT_EQ(parse_order("descending")->kind, PageOrder::Kind::kDescending);
  EXPECT_EQ(parse_order("runs:16")->run, 16U);
  for (const char* const wrong : {"", "runs:", "runs:0", "runs:x", "runs:4k", "up"}) {
    EXPECT_FALSE(parse_order(wrong)) << wrong;
  }
}

TEST(PageOrder, RunsStayTogetherAndNothingIsLost) {
  const PageOrder runs{PageOrder::Kind::kRuns, 16};
  std::vector<Pfn> pages = arrange(first_pages(1000), runs, 5);
  ASSERT_NE(pages, first_pages(1000));
  EXPECT_EQ(pages, arrange(first_pages(1000), runs, 5)) << "one seed, one order";
  for (std::size_t i = 0; i + 1 < pages.size(); ++i) {
    if (pages[i].value % 16 != 15 && pages[i].value != 999) {
      ASSERT_EQ(pages[i + 1].value, pages[i].value + 1);
    }
  }
  std::sort(pages.begin(), pages.end());
  EXPECT_EQ(pages, first_pages(1000));
}

TEST(MergeRanges, JoinsNeighboursUpToTheLimit) {
  const std::vector<Pfn> pages{Pfn{9}, Pfn{3}, Pfn{1}, Pfn{2}, Pfn{4}, Pfn{8}};
  const auto ranges = merge_ranges(pages, 3 * kPageSize);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0], (GpaRange{Gpa{kPageSize}, 3 * kPageSize}));
  EXPECT_EQ(ranges[1], (GpaRange{Gpa{4 * kPageSize}, kPageSize}));
  EXPECT_EQ(ranges[2], (GpaRange{Gpa{8 * kPageSize}, 2 * kPageSize}));
}

TEST(PagePool, GivesBackTheLastTakenFirst) {
  PagePool pool(first_pages(10));
  EXPECT_EQ(pool.take(4).size(), 4U);
  const auto back = pool.give_back(3);
  ASSERT_EQ(back.size(), 3U);
  EXPECT_EQ(back.front(), Pfn{1});
  EXPECT_EQ(pool.ballooned().size(), 1U);
  EXPECT_EQ(pool.take(100).size(), 9U);
  EXPECT_EQ(pool.give_back(100).size(), 10U);
  EXPECT_TRUE(pool.give_back(1).empty());
}

}  // namespace
}  // namespace vballoon::driver
