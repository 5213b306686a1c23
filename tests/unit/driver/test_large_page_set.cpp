// SPDX-License-Identifier: BSD-3-Clause
#include "driver/large_page_set.hpp"

#include <gtest/gtest.h>

namespace vballoon::driver {
namespace {

constexpr LargePage kPage{Gpa{2 * kMiB}, 21};

TEST(LargePageSet, APageIsTakenOnceAndWithItsSize) {
  LargePageSet set;
  set.add(kPage);
  EXPECT_FALSE(set.take({kPage.at, 12}));
  EXPECT_FALSE(set.take({Gpa{4 * kMiB}, 21}));
  EXPECT_TRUE(set.take(kPage));
  EXPECT_FALSE(set.take(kPage));
}

TEST(LargePageSet, CountsBytesAndPagesBySize) {
  LargePageSet set;
  set.add(kPage);
  set.add(kPage);
  const std::vector<Gpa> small{Gpa{kMiB}, Gpa{0}};
  set.add(small, 12);
  EXPECT_EQ(set.size(), 3U);
  EXPECT_EQ(set.bytes(), 2 * kMiB + 2 * kPageSize);
  EXPECT_EQ(set.count(21), 1U);
  EXPECT_EQ(set.count(30), 0U);
  EXPECT_EQ(set.pages(12), (std::vector<Gpa>{Gpa{0}, Gpa{kMiB}}));
  set.clear();
  EXPECT_EQ(set.bytes(), 0U);
  EXPECT_EQ(set.count(21), 0U);
}

TEST(LargePageSet, ALargePageIsManySmallOnes) {
  const std::vector<LargePage> pages{kPage, {Gpa{0}, 12}};
  const auto small = small_pages(pages);
  ASSERT_EQ(small.size(), 513U);
  EXPECT_EQ(small[0], Pfn{512});
  EXPECT_EQ(small[511], Pfn{1023});
  EXPECT_EQ(small[512], Pfn{0});
}

}  // namespace
}  // namespace vballoon::driver
