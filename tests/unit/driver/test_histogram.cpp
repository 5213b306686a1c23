// SPDX-License-Identifier: BSD-3-Clause
#include "driver/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace vballoon::driver {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.min(), 0U);
  EXPECT_EQ(h.max(), 0U);
  EXPECT_EQ(h.quantile(0.5), 0U);
}

TEST(Histogram, IsExactForSmallValues) {
  Histogram h;
  for (std::uint64_t v = 0; v < 64; ++v) h.record(v);
  EXPECT_EQ(h.quantile(0.5), 31U);
  EXPECT_EQ(h.quantile(0), 0U);
  EXPECT_EQ(h.quantile(1), 63U);
}

TEST(Histogram, KeepsMinAndMaxExactly) {
  Histogram h;
  h.record(1'000'003);
  h.record(77);
  EXPECT_EQ(h.min(), 77U);
  EXPECT_EQ(h.max(), 1'000'003U);
  EXPECT_EQ(h.quantile(1), 1'000'003U);
}

TEST(Histogram, TakesTheLargestValue) {
  Histogram h;
  h.record(~std::uint64_t{0});
  EXPECT_EQ(h.quantile(0.5), ~std::uint64_t{0});
}

TEST(Histogram, QuantilesAreWithinOneThirtySecond) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> nanoseconds(9, 2);
  Histogram h;
  std::vector<std::uint64_t> all;
  for (int i = 0; i < 20000; ++i) {
    all.push_back(static_cast<std::uint64_t>(nanoseconds(random)));
    h.record(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * 20000)) - 1;
    const auto exact = static_cast<double>(all[rank]);
    const auto found = static_cast<double>(h.quantile(share));
    EXPECT_GE(found, exact) << share;
    EXPECT_LE(found, exact * (1 + 1.0 / 32) + 1) << share;
  }
}

TEST(Histogram, MergesAsIfRecordedTogether) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (std::uint64_t v = 1; v < 100'000; v = v * 3 / 2 + 1) {
    (v % 2 == 0 ? a : b).record(v);
    both.record(v);
  }
  a.merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.mean(), both.mean());
  EXPECT_EQ(a.min(), both.min());
  EXPECT_EQ(a.max(), both.max());
  EXPECT_EQ(a.quantile(0.9), both.quantile(0.9));
}

}  // namespace
}  // namespace vballoon::driver
