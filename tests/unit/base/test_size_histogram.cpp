// SPDX-License-Identifier: BSD-3-Clause
//
// A size is in the bucket of the smallest bound that it does not exceed.
#include "base/size_histogram.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "base/units.hpp"

namespace vballoon {
namespace {

TEST(SizeHistogram, ASizeIsInTheBucketOfTheBoundAboveIt) {
  for (std::size_t i = 0; i < SizeHistogram::kBounds; ++i) {
    const std::uint64_t bound = SizeHistogram::bound(i);
    EXPECT_EQ(SizeHistogram::bucket_of(bound), i) << bound;
    EXPECT_EQ(SizeHistogram::bucket_of(bound - 1), i) << bound;
    EXPECT_EQ(SizeHistogram::bucket_of(bound + 1), i + 1) << bound;
  }
  EXPECT_EQ(SizeHistogram::bound(0), 4 * kKiB);
  EXPECT_EQ(SizeHistogram::bound(SizeHistogram::kBounds - 1), 64 * kMiB);
}

TEST(SizeHistogram, TheSmallestAndTheLargestHaveAPlace) {
  EXPECT_EQ(SizeHistogram::bucket_of(0), 0U);
  EXPECT_EQ(SizeHistogram::bucket_of(1), 0U);
  const auto largest = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(SizeHistogram::bucket_of(largest), SizeHistogram::kBounds);
}

TEST(SizeHistogram, CountsAndSums) {
  SizeHistogram histogram;
  SizeHistogram::Counts some;
  some.add(4 * kKiB);
  some.add(4 * kKiB);
  histogram.add(some);
  some = {};
  some.add(3 * kMiB);
  histogram.add(some);
  const SizeHistogram::Counts counts = histogram.get();
  EXPECT_EQ(counts.buckets[0], 2U);
  EXPECT_EQ(counts.buckets[SizeHistogram::bucket_of(3 * kMiB)], 1U);
  EXPECT_EQ(counts.sum, 8 * kKiB + 3 * kMiB);
}

}  // namespace
}  // namespace vballoon
