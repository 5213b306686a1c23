// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_report.cpp - free page reports; memory that cannot be given back; huge
// pages. Layer:  tests of reclaim. Source: VIRTIO 1.2, 5.5.6.7.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reclaim/reclaimer.hpp"
#include "support/fake_discarder.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

Pfn pfn(std::uint64_t page) {
  return Pfn{static_cast<std::uint32_t>(page)};
}

using Pages = std::set<std::uint64_t>;

/// Guest pages 0 to 9 and 10 to 19, neighbours in the guest and apart in the file.
class ReportTest : public testing::Test {
 protected:
  ReportTest() { reclaimer_.set_memory(ram_.map()); }

  Pages report(std::uint64_t first, std::uint64_t bytes) {
    discarder_.calls.clear();
    reclaimer_.report({Gpa{first}, bytes});
    reclaimer_.flush();
    return discarder_.file_pages();
  }

  test::GuestRam ram_{
      {{Gpa{0}, 10 * kPageSize, 100 * kPageSize}, {Gpa{10 * kPageSize}, 10 * kPageSize, 0}}};
  test::FakeDiscarder discarder_;
  Reclaimer reclaimer_{discarder_};
};

TEST_F(ReportTest, WholePagesAreDiscarded) {
  EXPECT_EQ(report(2 * kPageSize, 3 * kPageSize), (Pages{102, 103, 104}));
  EXPECT_EQ(discarder_.calls.size(), 1U);
}

// What is left over at the edges belongs to somebody.
TEST_F(ReportTest, RangesAreRoundedInward) {
  EXPECT_EQ(report(2 * kPageSize + 1, 3 * kPageSize), (Pages{103, 104}));
  EXPECT_EQ(report(2 * kPageSize - 1, 3 * kPageSize), (Pages{102, 103}));
  EXPECT_EQ(report(2 * kPageSize, 3 * kPageSize - 1), (Pages{102, 103}));
  EXPECT_EQ(report(2 * kPageSize - 1, kPageSize + 2), (Pages{102}));
  EXPECT_TRUE(report(2 * kPageSize, kPageSize - 1).empty());
  EXPECT_TRUE(report(2 * kPageSize + 1, kPageSize).empty());
  EXPECT_TRUE(report(2 * kPageSize + 1, 2 * kPageSize - 2).empty());
  EXPECT_TRUE(report(5, 0).empty());
}

TEST_F(ReportTest, ARangeMayCrossIntoANeighbouringRegion) {
  EXPECT_EQ(report(8 * kPageSize, 4 * kPageSize), (Pages{108, 109, 0, 1}));
  EXPECT_EQ(discarder_.calls.size(), 2U);
}

TEST_F(ReportTest, ReportsThatMeetAreOneCall) {
  for (const std::uint64_t page : {3U, 1U, 2U}) {
    reclaimer_.report({Gpa{page * kPageSize}, kPageSize});
  }
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 1U);
  EXPECT_EQ(discarder_.calls[0].bytes, 3 * kPageSize);
}

TEST_F(ReportTest, ReportedPagesAreNotInTheBalloon) {
  EXPECT_EQ(report(0, 20 * kPageSize).size(), 20U);
  EXPECT_EQ(reclaimer_.ballooned_pages(), 0U);
  EXPECT_EQ(reclaimer_.deflate(Pfn{3}), Outcome::kNotThere);
  EXPECT_EQ(reclaimer_.counters().reported.bytes.get(), 20 * kPageSize);
  EXPECT_EQ(reclaimer_.counters().inflated.bytes.get(), 0U);
  EXPECT_EQ(reclaimer_.counters().inflated.calls.get(), 0U);
}

TEST_F(ReportTest, ABalloonedPageThatIsReportedStaysBallooned) {
  EXPECT_EQ(reclaimer_.inflate(Pfn{4}), Outcome::kDone);
  EXPECT_EQ(report(4 * kPageSize, kPageSize), (Pages{104}));
  EXPECT_EQ(reclaimer_.ballooned_pages(), 1U);
  EXPECT_EQ(reclaimer_.deflate(Pfn{4}), Outcome::kDone);
}

TEST_F(ReportTest, ADeflateDoesNotTakeAReportBack) {
  // The guest holds reported pages still until the chain is used, whatever it does elsewhere.
  reclaimer_.report({Gpa{0}, 2 * kPageSize});
  EXPECT_EQ(reclaimer_.deflate(Pfn{0}), Outcome::kNotThere);
  reclaimer_.flush();
  EXPECT_EQ(discarder_.file_pages(), (Pages{100, 101}));
}

TEST(Retained, AReadOnlyRegionIsServedAndKept) {
  const test::GuestRam ram({{Gpa{0}, 16 * kPageSize, 0}});
  const UniqueFd read_only(
      ::open(("/proc/self/fd/" + std::to_string(ram.fd())).c_str(), O_RDONLY | O_CLOEXEC));
  auto specs = ram.specs();
  specs[0].fd = read_only.get();
  specs.push_back({Gpa{kMiB}, 4 * kPageSize, ram.at(Gpa{0}), -1, 0});
  test::FakeDiscarder discarder;
  Reclaimer reclaimer(discarder);
  reclaimer.set_memory(gmem::GuestMemory::create(specs).value());
  EXPECT_EQ(reclaimer.inflate(Pfn{1}), Outcome::kDone);
  EXPECT_EQ(reclaimer.inflate(Pfn{2}), Outcome::kDone);
  EXPECT_EQ(reclaimer.inflate(pfn(kMiB / kPageSize)), Outcome::kDone) << "without any file";
  reclaimer.flush();
  EXPECT_TRUE(discarder.calls.empty());
  EXPECT_EQ(reclaimer.counters().retained_bytes.get(), 3 * kPageSize);
  EXPECT_EQ(reclaimer.counters().failed_calls.get(), 0U);
  EXPECT_EQ(reclaimer.ballooned_pages(), 3U);
  EXPECT_EQ(reclaimer.deflate(Pfn{1}), Outcome::kDone);
}

/// Two host pages of guest memory, at the start of a hugetlbfs file of which no page exists.
class HugeReclaim : public testing::Test {
 protected:
  void SetUp() override {
    if (!fd_.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
    huge_ = gmem::inspect_backing(fd_.get()).host_page;
    full_ = bytes_to_pages(huge_);
    const std::vector<test::RamPiece> pieces{{Gpa{0}, 2 * huge_, 0}};
    memory_ = std::make_unique<test::PhantomMap>(fd_.get(), pieces);
    reclaimer_.set_memory(memory_->map());
  }
  void inflate(std::uint64_t first, std::uint64_t pages) {
    for (std::uint64_t page = first; page < first + pages; ++page) {
      static_cast<void>(reclaimer_.inflate(pfn(page)));
    }
  }

  UniqueFd fd_ = test::open_hugetlb();
  std::uint64_t huge_ = 0;
  std::uint64_t full_ = 0;
  std::unique_ptr<test::PhantomMap> memory_;
  test::FakeDiscarder discarder_;
  Reclaimer reclaimer_{discarder_};
};

TEST_F(HugeReclaim, AHostPageIsDiscardedWithItsLastPage) {
  inflate(1, full_ - 1);
  reclaimer_.flush();
  EXPECT_TRUE(discarder_.calls.empty());
  EXPECT_EQ(reclaimer_.stranded_pages(), full_ - 1);
  inflate(0, 1);
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 1U);
  EXPECT_EQ(discarder_.calls[0].offset, 0U);
  EXPECT_EQ(discarder_.calls[0].bytes, huge_);
  EXPECT_EQ(reclaimer_.stranded_pages(), 0U);
  EXPECT_EQ(reclaimer_.counters().inflated.bytes.get(), huge_);
}

TEST_F(HugeReclaim, ADeflateBeforeTheFlushKeepsTheHostPage) {
  inflate(0, 2 * full_);
  EXPECT_EQ(reclaimer_.deflate(pfn(full_ + 7)), Outcome::kDone);
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 1U) << "half of a host page must not be zeroed";
  EXPECT_EQ(discarder_.calls[0].offset, 0U);
  EXPECT_EQ(discarder_.calls[0].bytes, huge_);
}

TEST_F(HugeReclaim, ReportsAreRoundedToHostPages) {
  reclaimer_.report({Gpa{kPageSize}, 2 * huge_ - kPageSize});
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 1U);
  EXPECT_EQ(discarder_.calls[0].offset, huge_);
  EXPECT_EQ(discarder_.calls[0].bytes, huge_);
  discarder_.calls.clear();
  reclaimer_.report({Gpa{0}, huge_ - kPageSize});
  reclaimer_.flush();
  EXPECT_TRUE(discarder_.calls.empty());
}

TEST_F(HugeReclaim, ReportsThatMakeAHostPageTogetherFreeIt) {
  reclaimer_.report({Gpa{huge_ / 2}, huge_ / 2});
  reclaimer_.report({Gpa{0}, huge_ / 2});
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 1U);
  EXPECT_EQ(discarder_.calls[0].bytes, huge_);
}

}  // namespace
}  // namespace vballoon::reclaim
