// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_ledger_huge.cpp - the balloon over memory whose host pages are huge.
// The maps are backed by a hugetlbfs file, of which no page needs to exist.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "huge_fixture.hpp"
#include "reclaim/ledger.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

class HugeLedger : public HugeTest {
 protected:
  void build(const std::vector<test::RamPiece>& pieces) { build(map(pieces)); }
  void build(std::shared_ptr<const gmem::GuestMemory> memory) {
    ledger_.reset();
    blocks_ = std::make_unique<BlockMap>(std::move(memory));
    ledger_ = std::make_unique<Ledger>(*blocks_);
  }

  struct Inserted {
    std::uint64_t fresh = 0;
    bool complete = false;  // the block that the page is in
  };
  Inserted insert(std::uint64_t page) {
    const Part part = blocks_->first_part({page, 1});
    const std::uint64_t fresh = ledger_->insert(part);
    return {fresh, ledger_->complete(part.block)};
  }
  std::uint64_t erase(std::uint64_t page) { return ledger_->erase(blocks_->first_part({page, 1})); }
  void insert_all(std::uint64_t first, std::uint64_t pages) {
    blocks_->for_each_part({first, pages}, [this](const Part& part) { ledger_->insert(part); });
  }

  std::unique_ptr<BlockMap> blocks_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(HugeLedger, AHostPageIsFreeableWithItsLastPage) {
  build({{Gpa{huge_}, 2 * huge_, 0}});
  for (std::uint64_t i = 0; i < full_; ++i) {
    // Backwards, so that the last one is the first.
    const Inserted inserted = insert(2 * full_ - 1 - i);
    EXPECT_EQ(inserted.fresh, 1U);
    ASSERT_EQ(inserted.complete, i + 1 == full_);
    ASSERT_EQ(ledger_->stranded(), i + 1 == full_ ? 0 : i + 1);
    ASSERT_EQ(ledger_->population(), i + 1);
  }
}

TEST_F(HugeLedger, OnePageTakenOutStrandsTheRest) {
  build({{Gpa{0}, 2 * huge_, 0}});
  insert_all(0, full_);
  EXPECT_EQ(ledger_->stranded(), 0U);
  EXPECT_EQ(erase(3), 1U);
  EXPECT_EQ(ledger_->stranded(), full_ - 1);
  EXPECT_EQ(erase(3), 0U);
  EXPECT_EQ(ledger_->stranded(), full_ - 1);
  EXPECT_FALSE(insert(4).complete) << "in already, and the host page is not whole";
  EXPECT_TRUE(insert(3).complete);
  EXPECT_EQ(ledger_->stranded(), 0U);
}

TEST_F(HugeLedger, APageOfAWholeHostPageThatComesAgainLeavesItWhole) {
  build({{Gpa{0}, huge_, 0}});
  insert_all(0, full_);
  const Inserted again = insert(5);
  EXPECT_EQ(again.fresh, 0U);
  EXPECT_TRUE(again.complete);
  EXPECT_EQ(ledger_->population(), full_);
  EXPECT_EQ(ledger_->stranded(), 0U);
}

TEST_F(HugeLedger, HostPagesAreCountedInTheFileNotInTheGuest) {
  // The region begins half a host page into the file: its host pages lie across guest boundaries.
  const std::uint64_t half = full_ / 2;
  build({{Gpa{4 * huge_}, 2 * huge_, huge_ / 2}});
  const std::uint64_t first = 4 * full_;
  for (std::uint64_t page = first; page < first + half; ++page) {
    EXPECT_FALSE(insert(page).complete) << "its host page begins before the region";
  }
  EXPECT_EQ(ledger_->stranded(), half);
  for (std::uint64_t page = first + half; page < first + half + full_; ++page) {
    ASSERT_EQ(insert(page).complete, page + 1 == first + half + full_);
  }
  EXPECT_EQ(blocks_->first_part({first + half, full_}).pages, full_);
  EXPECT_EQ(ledger_->stranded(), half);
}

TEST_F(HugeLedger, RandomStepsFollowASet) {
  // Two regions with a hole, one of them beginning and ending inside a host page.
  const std::uint64_t lead = full_ / 4;
  const std::uint64_t low = 8 * full_;
  const std::uint64_t high = 32 * full_;
  build({{Gpa{pages_to_bytes(low)}, 2 * huge_, 0},
         {Gpa{pages_to_bytes(high)}, 2 * huge_, 8 * huge_ + huge_ / 4}});
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
      const Inserted inserted = insert(page);
      ASSERT_EQ(inserted.fresh, inside.insert(page).second ? 1U : 0U);
      ASSERT_EQ(inserted.complete, inside.size() == full_);
    } else {
      ASSERT_EQ(erase(page), inside.erase(page));
    }
    std::uint64_t population = 0;
    std::uint64_t stranded = 0;
    for (const auto& [host, pages] : model) {
      population += pages.size();
      stranded += pages.size() == full_ ? 0 : pages.size();
    }
    ASSERT_EQ(ledger_->population(), population);
    ASSERT_EQ(ledger_->stranded(), stranded);
  }
}

TEST_F(HugeLedger, SmallPagesBesideHugeOnesAreNeverStranded) {
  std::byte anchor{};
  const auto mixed = gmem::GuestMemory::create(std::vector<gmem::RegionSpec>{
      {Gpa{0}, kMiB, &anchor, -1, 0}, {Gpa{huge_}, huge_, &anchor, fd_.get(), 0}});
  ASSERT_TRUE(mixed.has_value());
  build(*mixed);
  EXPECT_EQ(insert(7).fresh, 1U);
  EXPECT_EQ(ledger_->stranded(), 0U);
  EXPECT_FALSE(insert(full_).complete);
  EXPECT_EQ(ledger_->stranded(), 1U);
}

}  // namespace
}  // namespace vballoon::reclaim
