// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_stats_patience.cpp - how long a driver has owed its figures.
#include <gtest/gtest.h>

#include "vm/stats_patience.hpp"

namespace vballoon::vm {
namespace {

TEST(StatsPatience, NobodyWaitsBeforeSomebodyAsks) {
  EXPECT_EQ(StatsPatience().waiting_ms(0, 1000), 0U);
}

TEST(StatsPatience, ItCountsFromTheOldestOpenQuestion) {
  StatsPatience patience;
  patience.asked(7, 1000);
  patience.asked(7, 1500);
  EXPECT_EQ(patience.waiting_ms(7, 3000), 2000U);
  EXPECT_EQ(patience.waiting_ms(8, 3000), 0U) << "answered";
  patience.asked(8, 4000);
  EXPECT_EQ(patience.waiting_ms(8, 4100), 100U);
}

TEST(StatsPatience, AStoppedRingOwesNothing) {
  StatsPatience patience;
  patience.asked(7, 1000);
  patience.start_over(9000);
  EXPECT_EQ(patience.waiting_ms(7, 9500), 500U);
}

TEST(StatsPatience, NorDoesAnotherDriver) {
  StatsPatience patience;
  patience.asked(0, 1000);
  patience.forget();
  EXPECT_EQ(patience.waiting_ms(0, 2000), 0U);
  patience.asked(0, 3000);
  EXPECT_EQ(patience.waiting_ms(0, 3500), 500U);
}

}  // namespace
}  // namespace vballoon::vm
