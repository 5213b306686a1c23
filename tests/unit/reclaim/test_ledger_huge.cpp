// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_ledger_huge.cpp - the balloon over memory whose host pages are huge.
// Layer:  tests of reclaim. The maps are backed by a hugetlbfs file, of which no page needs to
// exist.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "reclaim/ledger.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

Pfn pfn(std::uint64_t page) {
  return Pfn{static_cast<std::uint32_t>(page)};
}

class HugeLedger : public testing::Test {
 protected:
  void SetUp() override {
    if (!fd_.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
    huge_ = gmem::inspect_backing(fd_.get()).host_page;
    full_ = bytes_to_pages(huge_);
    ASSERT_GT(full_, 1U);
  }

  std::shared_ptr<const gmem::GuestMemory> map(const std::vector<test::RamPiece>& pieces) {
    phantoms_.push_back(std::make_unique<test::PhantomMap>(fd_.get(), pieces));
    return phantoms_.back()->map();
  }

  UniqueFd fd_ = test::open_hugetlb();
  std::uint64_t huge_ = 0;  // bytes of a host page
  std::uint64_t full_ = 0;  // 4 KiB pages of one
  std::vector<std::unique_ptr<test::PhantomMap>> phantoms_;
};

TEST_F(HugeLedger, AHostPageIsFreeableWithItsLastPage) {
  Ledger ledger(map({{Gpa{huge_}, 2 * huge_, 0}}));
  for (std::uint64_t i = 0; i < full_; ++i) {
    // Backwards, so that the last one is the first.
    const auto inserted = ledger.insert(pfn(2 * full_ - 1 - i));
    EXPECT_TRUE(inserted.fresh);
    if (i + 1 == full_) {
      EXPECT_EQ(inserted.whole, (PageRun{full_, full_}));
      EXPECT_EQ(ledger.stranded(), 0U);
    } else {
      ASSERT_EQ(inserted.whole.pages, 0U) << i;
      ASSERT_EQ(ledger.stranded(), i + 1);
    }
    ASSERT_EQ(ledger.population(), i + 1);
  }
}

TEST_F(HugeLedger, OnePageTakenOutStrandsTheRest) {
  Ledger ledger(map({{Gpa{0}, 2 * huge_, 0}}));
  for (std::uint64_t page = 0; page < full_; ++page) static_cast<void>(ledger.insert(pfn(page)));
  EXPECT_EQ(ledger.erase(pfn(3)), Ledger::Erased::kErased);
  EXPECT_EQ(ledger.stranded(), full_ - 1);
  EXPECT_EQ(ledger.erase(pfn(3)), Ledger::Erased::kNotIn);
  EXPECT_EQ(ledger.stranded(), full_ - 1);
  EXPECT_EQ(ledger.insert(pfn(4)).whole.pages, 0U) << "in already, and the host page is not whole";
  EXPECT_EQ(ledger.insert(pfn(3)).whole, (PageRun{0, full_}));
  EXPECT_EQ(ledger.stranded(), 0U);
}

TEST_F(HugeLedger, APageOfAWholeHostPageThatComesAgainFreesItAgain) {
  Ledger ledger(map({{Gpa{0}, huge_, 0}}));
  for (std::uint64_t page = 0; page < full_; ++page) static_cast<void>(ledger.insert(pfn(page)));
  const auto again = ledger.insert(pfn(5));
  EXPECT_FALSE(again.fresh);
  EXPECT_EQ(again.whole, (PageRun{0, full_}));
  EXPECT_EQ(ledger.population(), full_);
}

TEST_F(HugeLedger, HostPagesAreCountedInTheFileNotInTheGuest) {
  // The region begins half a host page into the file: its host pages lie across guest boundaries.
  const std::uint64_t half = full_ / 2;
  Ledger ledger(map({{Gpa{4 * huge_}, 2 * huge_, huge_ / 2}}));
  const std::uint64_t first = 4 * full_;
  for (std::uint64_t page = first; page < first + half; ++page) {
    EXPECT_EQ(ledger.insert(pfn(page)).whole.pages, 0U) << "its host page begins before the region";
  }
  EXPECT_EQ(ledger.stranded(), half);
  PageRun whole;
  for (std::uint64_t page = first + half; page < first + half + full_; ++page) {
    whole = ledger.insert(pfn(page)).whole;
  }
  EXPECT_EQ(whole, (PageRun{first + half, full_}));
  EXPECT_EQ(ledger.stranded(), half);
}

TEST_F(HugeLedger, RandomStepsFollowASet) {
  // Two regions with a hole, one of them beginning and ending inside a host page.
  const std::uint64_t lead = full_ / 4;
  const std::uint64_t low = 8 * full_;
  const std::uint64_t high = 32 * full_;
  Ledger ledger(map({{Gpa{pages_to_bytes(low)}, 2 * huge_, 0},
                     {Gpa{pages_to_bytes(high)}, 2 * huge_, 8 * huge_ + huge_ / 4}}));
  const auto host_page_of = [=, this](std::uint64_t page) {
    return page < high ? (page - low) / full_ : 1000 + (lead + page - high) / full_;
  };
  std::map<std::uint64_t, std::set<std::uint64_t>> model;
  std::mt19937 random(41);
  for (int step = 0; step < 100'000; ++step) {
    const std::uint64_t page = (random() % 2 == 0 ? low : high) + random() % (2 * full_);
    auto& inside = model[host_page_of(page)];
    // Long stretches of mostly inserting, then of mostly erasing, so that host pages get whole.
    if (random() % 16 < (step / 8192 % 2 == 0 ? 15U : 4U)) {
      const auto inserted = ledger.insert(pfn(page));
      ASSERT_TRUE(inserted.in_memory);
      ASSERT_EQ(inserted.fresh, inside.insert(page).second);
      ASSERT_EQ(inserted.whole.pages, inside.size() == full_ ? full_ : 0);
      if (inside.size() == full_) {
        ASSERT_EQ(inserted.whole.first, *inside.begin());
      }
    } else {
      ASSERT_EQ(ledger.erase(pfn(page)) == Ledger::Erased::kErased, inside.erase(page) == 1);
    }
    std::uint64_t population = 0;
    std::uint64_t stranded = 0;
    for (const auto& [host, pages] : model) {
      population += pages.size();
      stranded += pages.size() == full_ ? 0 : pages.size();
    }
    ASSERT_EQ(ledger.population(), population);
    ASSERT_EQ(ledger.stranded(), stranded);
  }
}

TEST_F(HugeLedger, AdoptCountsHostPagesAnew) {
  Ledger old(map({{Gpa{0}, 2 * huge_, 0}}));
  for (std::uint64_t page = 0; page < full_; ++page) static_cast<void>(old.insert(pfn(page)));
  ASSERT_EQ(old.stranded(), 0U);
  // The same guest pages, now half a host page further into the file.
  Ledger ledger(map({{Gpa{0}, 2 * huge_, huge_ / 2}}));
  ledger.adopt(old);
  EXPECT_EQ(ledger.population(), full_);
  EXPECT_EQ(ledger.stranded(), full_);
  Ledger back(map({{Gpa{0}, 2 * huge_, 0}}));
  back.adopt(ledger);
  EXPECT_EQ(back.stranded(), 0U);
}

TEST_F(HugeLedger, SmallPagesBesideHugeOnesAreNeverStranded) {
  std::byte anchor{};
  const auto mixed = gmem::GuestMemory::create(std::vector<gmem::RegionSpec>{
      {Gpa{0}, kMiB, &anchor, -1, 0}, {Gpa{huge_}, huge_, &anchor, fd_.get(), 0}});
  ASSERT_TRUE(mixed.has_value());
  Ledger ledger(*mixed);
  EXPECT_EQ(ledger.insert(pfn(7)).whole, (PageRun{7, 1}));
  EXPECT_EQ(ledger.stranded(), 0U);
  EXPECT_EQ(ledger.insert(pfn(full_)).whole.pages, 0U);
  EXPECT_EQ(ledger.stranded(), 1U);
}

}  // namespace
}  // namespace vballoon::reclaim
