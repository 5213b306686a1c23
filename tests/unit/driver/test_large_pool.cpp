// SPDX-License-Identifier: BSD-3-Clause
#include "driver/large_pool.hpp"

#include <gtest/gtest.h>

#include <array>

namespace vballoon::driver {
namespace {

constexpr std::array<unsigned, 2> kBoth{12, 21};

class LargePoolTest : public ::testing::Test {
 protected:
  GuestRam ram_ = GuestRam::create(ram_with_hole(8 * kMiB, 5 * kMiB, 3 * kMiB)).value();
  Arena arena_{GpaRange{Gpa{0}, kMiB}};
};

TEST_F(LargePoolTest, CutsMemoryIntoTheLargestPagesThatLieInItWhole) {
  LargePool pool(ram_, arena_, kBoth, {}, 1);
  // Of [1, 5) MiB: [2, 4) whole. Of [8, 11) MiB: [8, 10).
  EXPECT_EQ(pool.count(21), 2U);
  EXPECT_EQ(pool.count(12), 3 * kMiB / kPageSize);
  EXPECT_EQ(pool.free_bytes(), 7 * kMiB);
  EXPECT_EQ(pool.take(21, 9), (std::vector<Gpa>{Gpa{2 * kMiB}, Gpa{8 * kMiB}}));
}

TEST_F(LargePoolTest, OnlyWholePagesAreOfUse) {
  constexpr std::array<unsigned, 1> kLarge{21};
  const LargePool pool(ram_, arena_, kLarge, {}, 1);
  EXPECT_EQ(pool.free_bytes(), 4 * kMiB);
}

TEST_F(LargePoolTest, ALargePageIsTakenApartWhereNoSmallOneIsLeft) {
  LargePool pool(ram_, arena_, kBoth, {}, 1);
  const auto small = pool.take(12, 3 * kMiB / kPageSize);
  EXPECT_EQ(pool.count(21), 2U);
  const auto more = pool.take(12, 2);
  EXPECT_EQ(more, (std::vector<Gpa>{Gpa{2 * kMiB}, Gpa{2 * kMiB + kPageSize}}));
  EXPECT_EQ(pool.count(21), 1U);
  EXPECT_EQ(pool.count(12), 510U);
  EXPECT_EQ(pool.take(12, 100000).size(), 510U + 512U) << "and no more";
}

TEST_F(LargePoolTest, WhatComesBackGoesNext) {
  LargePool pool(ram_, arena_, kBoth, {}, 1);
  const auto pages = pool.take(21, 2);
  pool.give_back(pages, 21);
  EXPECT_EQ(pool.take(21, 2), pages);
}

TEST_F(LargePoolTest, EqualSeedsGiveEqualOrders) {
  const PageOrder random{PageOrder::Kind::kRandom, 1};
  LargePool one(ram_, arena_, kBoth, random, 7);
  LargePool same(ram_, arena_, kBoth, random, 7);
  LargePool other(ram_, arena_, kBoth, random, 8);
  const auto pages = one.take(12, 100);
  EXPECT_EQ(pages, same.take(12, 100));
  EXPECT_NE(pages, other.take(12, 100));
}

}  // namespace
}  // namespace vballoon::driver
