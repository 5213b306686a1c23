// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_huge_reserve.cpp - no huge page goes that the pool could not give back.
// Source: the rule in reclaim/huge/reserve.hpp.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "base/units.hpp"
#include "fake_pool.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kHugePage = 2 * kMiB;

UniqueFd a_file() {
  return UniqueFd(::memfd_create("guest", MFD_CLOEXEC));
}

class HugeReserveTest : public testing::Test {
 protected:
  /// As a reclaim lcore does it. @return whether the pages were discarded.
  bool discard(const std::shared_ptr<HugeFile>& file, const UniqueFd& fd, std::uint64_t pages,
               std::uint64_t page_bytes = kHugePage) {
    if (!file->begin(pages * page_bytes)) return false;
    host_.freed(fd.get(), page_bytes, pages);
    file->gave(pages * page_bytes, pages * page_bytes);
    return true;
  }
  PoolState& pool() { return host_.state[kHugePage]; }

  FakeHost host_;
  HugeReserve reserve_{host_.pools()};
  const UniqueFd one_fd_ = a_file();
  const UniqueFd other_fd_ = a_file();
  std::shared_ptr<HugeFile> one_ = reserve_.watch(one_fd_.get(), kHugePage);
  std::shared_ptr<HugeFile> other_ = reserve_.watch(other_fd_.get(), kHugePage);
};

TEST(Covers, IsTheRule) {
  const auto pool = [](std::uint64_t free, std::uint64_t reserved, std::uint64_t surplus) {
    return PoolState{.free = free, .reserved = reserved, .surplus = surplus};
  };
  EXPECT_TRUE(covers(pool(0, 0, 0), 0, 1)) << "what the batch frees covers it";
  EXPECT_TRUE(covers(pool(7, 0, 0), 7, 100));
  EXPECT_FALSE(covers(pool(6, 0, 0), 7, 1)) << "one that was given back is not there";
  EXPECT_FALSE(covers(pool(7, 1, 0), 7, 1)) << "it is there, but promised";
  EXPECT_FALSE(covers(pool(0, 0, 5), 0, 3)) << "all three would leave the pool";
  EXPECT_TRUE(covers(pool(3, 0, 5), 0, 3));
  EXPECT_TRUE(covers(pool(5, 0, 5), 0, 300)) << "no more leave than there are";
  EXPECT_FALSE(covers(pool(4, 0, 5), 0, 300));
}

TEST_F(HugeReserveTest, APoolThatNobodyElseUsesCoversItself) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(discard(one_, one_fd_, 8)) << i;
  EXPECT_EQ(pool().free, 800U);
}

TEST_F(HugeReserveTest, NothingGoesWhileOthersHaveTakenWhatWasGivenBack) {
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  --pool().free;
  EXPECT_FALSE(discard(one_, one_fd_, 1));
  ++pool().free;
  EXPECT_TRUE(discard(one_, one_fd_, 1));
}

TEST_F(HugeReserveTest, AllVmsOweTogether) {
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  ++pool().reserved;  // somebody maps a file of his
  EXPECT_FALSE(discard(other_, other_fd_, 1));
  ++pool().free;
  EXPECT_TRUE(discard(other_, other_fd_, 1));
}

TEST_F(HugeReserveTest, WhatAGuestHasTouchedAgainIsOwedNoMore) {
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  host_.filled(one_fd_.get(), kHugePage, 3);
  EXPECT_TRUE(discard(other_, other_fd_, 2)) << "one page is owed, one is free";
  --pool().free;
  EXPECT_FALSE(discard(other_, other_fd_, 1));
}

/// Deflated is not touched: only the file tells.
TEST_F(HugeReserveTest, AHoleIsOwedUntilItIsFilled) {
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  pool().free = 0;
  EXPECT_FALSE(discard(other_, other_fd_, 1));
  pool().free = 4;
  host_.filled(one_fd_.get(), kHugePage, 4);
  EXPECT_TRUE(discard(other_, other_fd_, 1));
}

TEST_F(HugeReserveTest, OfMemoryThatWasNeverTouchedTooMuchIsOwedAndNotTooLittle) {
  host_.holes[FakeHost::inode(one_fd_.get())] = 10 * kHugePage;
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  host_.filled(one_fd_.get(), kHugePage, 4);
  EXPECT_FALSE(discard(other_, other_fd_, 1)) << "the holes may be those that were punched";
}

TEST_F(HugeReserveTest, SurplusPagesThatWouldLeaveAreNotCovered) {
  pool().surplus = 3;
  EXPECT_FALSE(discard(one_, one_fd_, 1));
  pool().free = 2;
  EXPECT_TRUE(discard(one_, one_fd_, 2)) << "others are free in their place";
  EXPECT_EQ(pool().surplus, 1U);
  EXPECT_EQ(pool().free, 2U);
  EXPECT_FALSE(discard(one_, one_fd_, 1));
}

TEST_F(HugeReserveTest, APoolThatCannotBeReadCoversNothing) {
  host_.readable = false;
  EXPECT_FALSE(discard(one_, one_fd_, 1));
}

TEST_F(HugeReserveTest, EachPageSizeHasAPoolOfItsOwn) {
  const UniqueFd fd = a_file();
  const auto gigantic = reserve_.watch(fd.get(), kGiB);
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  pool().free = 0;
  EXPECT_FALSE(discard(one_, one_fd_, 1));
  EXPECT_TRUE(discard(gigantic, fd, 1, kGiB));
  EXPECT_EQ(host_.opened, (std::vector<std::uint64_t>{kHugePage, kGiB})) << "each opened once";
}

TEST_F(HugeReserveTest, WhatAVmThatIsGoneWasOwedIsForgotten) {
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  pool().free = 0;
  one_.reset();
  EXPECT_TRUE(discard(other_, other_fd_, 1));
}

TEST_F(HugeReserveTest, AFileHasOneAccountHoweverManyWatchIt) {
  const UniqueFd again(::dup(one_fd_.get()));
  const auto same = reserve_.watch(again.get(), kHugePage);
  EXPECT_EQ(same, one_);
  EXPECT_NE(other_, one_);
  ASSERT_TRUE(discard(one_, one_fd_, 4));
  one_.reset();
  pool().free = 3;
  EXPECT_FALSE(discard(other_, other_fd_, 1)) << "somebody still watches it";
}

/// A VMM that holds up the holes in its own file costs another VM nothing.
TEST_F(HugeReserveTest, OthersGoOnWhileABatchIsUnderWay) {
  ASSERT_TRUE(one_->begin(4 * kHugePage));
  EXPECT_TRUE(discard(other_, other_fd_, 3)) << "none of the four is free yet, and none is owed";
  EXPECT_TRUE(discard(other_, other_fd_, 3));
  host_.freed(one_fd_.get(), kHugePage, 4);
  one_->gave(4 * kHugePage, 4 * kHugePage);
  EXPECT_TRUE(discard(other_, other_fd_, 1));
  --pool().free;
  EXPECT_FALSE(discard(other_, other_fd_, 1));
}

/// Half of it is punched: those are free, and owed.
TEST_F(HugeReserveTest, WhatIsUnderWayIsOwedAsSoonAsItIsPunched) {
  ASSERT_TRUE(one_->begin(4 * kHugePage));
  host_.freed(one_fd_.get(), kHugePage, 2);
  EXPECT_TRUE(discard(other_, other_fd_, 1));
  --pool().free;  // somebody takes one of the three
  EXPECT_FALSE(discard(other_, other_fd_, 1));
  ++pool().free;
  EXPECT_TRUE(discard(other_, other_fd_, 1));
}

/// Surplus pages that it frees leave the pool, and so may those of a batch beside it.
TEST_F(HugeReserveTest, SurplusPagesMayLeaveWithEitherBatch) {
  pool() = {.free = 3, .reserved = 0, .surplus = 4};
  ASSERT_TRUE(one_->begin(2 * kHugePage));
  EXPECT_FALSE(other_->begin(2 * kHugePage)) << "four might leave, and three are free";
  EXPECT_TRUE(other_->begin(kHugePage));
}

TEST_F(HugeReserveTest, WhatTheKernelRefusedWasNotGiven) {
  ASSERT_TRUE(one_->begin(4 * kHugePage));
  one_->gave(4 * kHugePage, 0);
  EXPECT_TRUE(discard(other_, other_fd_, 1));
  EXPECT_EQ(pool().free, 1U);
}

TEST_F(HugeReserveTest, AsLongAsAllIsCoveredOneLookIsEnough) {
  ASSERT_TRUE(discard(one_, one_fd_, 8));
  EXPECT_EQ(host_.looks, 1U);
}

}  // namespace
}  // namespace vballoon::reclaim
