// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_reclaim_huge.cpp - memory of huge host pages is given back in whole ones.
// The map is backed by a hugetlbfs file, of which no page exists.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "huge_fixture.hpp"
#include "support/guest_ram.hpp"
#include "support/reclaim_harness.hpp"

namespace vballoon::reclaim {
namespace {

/// Two host pages of guest memory, at the start of the file.
class HugeReclaim : public HugeTest {
 protected:
  void SetUp() override {
    HugeTest::SetUp();
    if (!IsSkipped()) h_ = std::make_unique<test::ReclaimHarness>(map(2));
  }
  void expect_one_call(std::uint64_t host_page) {
    ASSERT_EQ(h_->calls().size(), 1U);
    EXPECT_EQ(h_->calls()[0].offset, host_page * huge_);
    EXPECT_EQ(h_->calls()[0].bytes, huge_);
  }

  std::unique_ptr<test::ReclaimHarness> h_;
};

TEST_F(HugeReclaim, AHostPageIsDiscardedWithItsLastPage) {
  h_->inflate({1, full_ - 1});
  h_->flush();
  EXPECT_TRUE(h_->calls().empty());
  EXPECT_EQ(h_->reclaimer().gather().stranded_pages(), full_ - 1);
  EXPECT_EQ(h_->counters().gathered_pages.get(), 0U) << "nothing waits for a clock";
  h_->inflate(0);
  h_->pass();
  expect_one_call(0);
  EXPECT_EQ(h_->reclaimer().gather().stranded_pages(), 0U);
  EXPECT_EQ(h_->counters().inflated.bytes.get(), huge_);
}

/// However many wait, those behind the batch do not wait for more than its share.
class HugeRuns : public HugeReclaim {
 protected:
  static constexpr std::uint64_t kPages = Batch::kHugePages + 3;

  void SetUp() override {
    HugeReclaim::SetUp();
    if (!IsSkipped()) h_ = std::make_unique<test::ReclaimHarness>(map(kPages));
  }
};

TEST_F(HugeRuns, PagesThatLieTogetherGoInOneCall) {
  h_->inflate({0, 7 * full_});
  h_->inflate({8 * full_, 2 * full_});
  h_->pass();
  ASSERT_EQ(h_->calls().size(), 2U);
  EXPECT_EQ(h_->calls()[0].offset, 0U);
  EXPECT_EQ(h_->calls()[0].bytes, 7 * huge_);
  EXPECT_EQ(h_->calls()[1].offset, 8 * huge_);
  EXPECT_EQ(h_->calls()[1].bytes, 2 * huge_);
  EXPECT_EQ(h_->counters().inflated.bytes.get(), 9 * huge_);
}

TEST_F(HugeRuns, NoCallIsLongerThanABatch) {
  h_->inflate({0, kPages * full_});
  h_->flush();
  ASSERT_EQ(h_->calls().size(), 2U);
  EXPECT_EQ(h_->calls()[0].bytes, Batch::kHugePages * huge_);
  EXPECT_EQ(h_->calls()[1].offset, Batch::kHugePages * huge_);
  EXPECT_EQ(h_->calls()[1].bytes, 3 * huge_);
}

TEST_F(HugeRuns, OneThatIsRefusedStaysTheGuestsWhole) {
  h_->discarder().refuse = [](const test::DiscardCall& call) { return call.offset == 0; };
  h_->inflate({0, 4 * full_});
  h_->inflate({5 * full_, full_});
  h_->flush();
  EXPECT_EQ(h_->counters().failed_calls.get(), 1U);
  EXPECT_EQ(h_->counters().kept_pages.get(), 4 * full_);
  EXPECT_EQ(h_->reclaimer().gather().reclaimed_pages(), full_);
  EXPECT_EQ(h_->counters().inflated.bytes.get(), huge_);
}

TEST_F(HugeReclaim, ADeflateBeforeThePassKeepsTheHostPage) {
  h_->inflate({0, 2 * full_});
  EXPECT_EQ(h_->deflate(full_ + 7).changed, 1U);
  h_->flush();
  expect_one_call(0);  // half of the other must not be zeroed
}

TEST_F(HugeReclaim, AHostPageThatIsMadeWholeAgainIsDiscardedAgain) {
  h_->inflate({0, full_});
  h_->flush();
  h_->calls().clear();
  h_->deflate(9);
  h_->flush();
  EXPECT_TRUE(h_->calls().empty());
  h_->inflate(9);
  h_->flush();
  expect_one_call(0);
}

// A guest that gives a page which is in already has used it since.
TEST_F(HugeReclaim, APageOfAWholeHostPageThatComesAgainFreesItAgain) {
  h_->inflate({0, full_});
  h_->flush();
  h_->calls().clear();
  EXPECT_EQ(h_->inflate(5).unchanged, 1U);
  h_->flush();
  expect_one_call(0);
}

// Without MUST_TELL_HOST the first pages may be in use again when the last one comes.
TEST_F(HugeReclaim, ADriverThatDoesNotTellKeepsThem) {
  h_->reclaimer().gather().set_tells_host(false);
  h_->inflate({0, full_});
  h_->flush();
  EXPECT_TRUE(h_->calls().empty());
  EXPECT_EQ(h_->counters().retained_bytes.get(), huge_);
  EXPECT_EQ(h_->reclaimer().gather().ballooned_pages(), full_);
}

TEST_F(HugeReclaim, ReportsAreRoundedToHostPages) {
  h_->report(kPageSize, 2 * huge_ - kPageSize);
  h_->flush();
  expect_one_call(1);
  h_->calls().clear();
  h_->report(0, huge_ - kPageSize);
  h_->flush();
  EXPECT_TRUE(h_->calls().empty());
}

TEST_F(HugeReclaim, ReportsThatMakeAHostPageTogetherFreeIt) {
  h_->report(0, huge_ / 2);
  h_->report(huge_ / 2, huge_ / 2);
  h_->flush();
  expect_one_call(0);
}

}  // namespace
}  // namespace vballoon::reclaim
