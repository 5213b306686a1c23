// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_report.cpp - free page reports; memory that cannot be given back.
// Source: VIRTIO 1.2, 5.5.6.7.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "support/guest_ram.hpp"
#include "support/reclaim_harness.hpp"

namespace vballoon::reclaim {
namespace {

using Pages = std::set<std::uint64_t>;

/// Guest pages 0 to 9 and 10 to 19, neighbours in the guest and apart in the file.
class ReportTest : public testing::Test {
 protected:
  Pages report(std::uint64_t first, std::uint64_t bytes) {
    h_.calls().clear();
    h_.report(first, bytes);
    h_.flush();
    return h_.discarder().file_pages();
  }

  test::GuestRam ram_{
      {{Gpa{0}, 10 * kPageSize, 100 * kPageSize}, {Gpa{10 * kPageSize}, 10 * kPageSize, 0}}};
  test::ReclaimHarness h_{ram_.map()};
};

TEST_F(ReportTest, WholePagesAreDiscarded) {
  EXPECT_EQ(report(2 * kPageSize, 3 * kPageSize), (Pages{102, 103, 104}));
  EXPECT_EQ(h_.calls().size(), 1U);
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
  EXPECT_EQ(h_.calls().size(), 2U);
}

TEST_F(ReportTest, ReportsThatMeetGoingUpAreOneCall) {
  for (const std::uint64_t page : {1U, 2U, 3U}) h_.report(page * kPageSize, kPageSize);
  h_.flush();
  ASSERT_EQ(h_.calls().size(), 1U);
  EXPECT_EQ(h_.calls()[0].bytes, 3 * kPageSize);
}

TEST_F(ReportTest, ReportsThatMeetInAnyOrderAreOneCall) {
  for (const std::uint64_t page : {3U, 1U, 7U, 2U, 2U, 8U}) h_.report(page * kPageSize, kPageSize);
  h_.flush();
  ASSERT_EQ(h_.calls().size(), 2U);
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{101, 102, 103, 107, 108}));
  EXPECT_EQ(h_.counters().reported.bytes.get(), 5 * kPageSize) << "each page once";
}

// Pages of two regions may be neighbours in the guest and nowhere else.
TEST_F(ReportTest, WhatMeetsAtTheEndOfARegionIsTwoCalls) {
  for (const std::uint64_t page : {10U, 9U}) h_.report(page * kPageSize, kPageSize);
  h_.flush();
  ASSERT_EQ(h_.calls().size(), 2U);
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{109, 0}));
}

TEST_F(ReportTest, WhatLiesWithinAnotherReportAddsNothing) {
  h_.report(0, 6 * kPageSize);
  h_.report(2 * kPageSize, kPageSize);
  h_.report(5 * kPageSize, 2 * kPageSize);
  h_.flush();
  ASSERT_EQ(h_.calls().size(), 1U);
  EXPECT_EQ(h_.calls()[0].bytes, 7 * kPageSize);
}

TEST(ReportPortion, CutsNoBlockThatTheRangeHasWhole) {
  const test::GuestRam ram({{Gpa{0}, 16 * kMiB, 0}, {Gpa{32 * kMiB}, 4 * kMiB, 16 * kMiB}});
  test::ReclaimHarness h(ram.map());
  const auto portion = [&](std::uint64_t first, std::uint64_t bytes, std::uint64_t about) {
    return h.reclaimer().gather().portion(GpaRange{Gpa{first}, bytes}, about);
  };
  EXPECT_EQ(portion(0, 16 * kMiB, 4 * kMiB), 4 * kMiB);
  EXPECT_EQ(portion(kPageSize, 8 * kMiB, 4 * kMiB), 6 * kMiB - kPageSize);
  EXPECT_EQ(portion(kPageSize, 4 * kMiB, 4 * kMiB), 4 * kMiB) << "all there is";
  EXPECT_EQ(portion(0, 16 * kMiB, 1), 2 * kMiB);
  EXPECT_EQ(portion(5, 16 * kMiB - 5, 2 * kMiB), 4 * kMiB - 5);
  EXPECT_EQ(portion(15 * kMiB, kMiB, 10), kMiB) << "and not beyond the range";
}

TEST_F(ReportTest, ReportedPagesAreNotInTheBalloon) {
  EXPECT_EQ(report(0, 20 * kPageSize).size(), 20U);
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 0U);
  EXPECT_EQ(h_.deflate(3).unchanged, 1U);
  EXPECT_EQ(h_.counters().reported.bytes.get(), 20 * kPageSize);
  EXPECT_EQ(h_.counters().inflated.bytes.get(), 0U);
  EXPECT_EQ(h_.counters().inflated.calls.get(), 0U);
}

TEST_F(ReportTest, ABalloonedPageThatIsReportedStaysBallooned) {
  h_.inflate(4);
  EXPECT_EQ(report(4 * kPageSize, kPageSize), (Pages{104}));
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 1U);
  EXPECT_EQ(h_.deflate(4).changed, 1U);
}

TEST_F(ReportTest, ADeflateDoesNotTakeAReportBack) {
  // The guest holds reported pages still until the chain is used, whatever it does elsewhere.
  h_.report(0, 2 * kPageSize);
  EXPECT_EQ(h_.deflate(0).unchanged, 1U);
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{100, 101}));
}

// Reports do not wait for a clock: the guest waits for them.
TEST_F(ReportTest, AReportGoesWithTheNextPassAndLeavesTheWindowAlone) {
  h_.inflate(0);
  h_.report(5 * kPageSize, kPageSize);
  h_.pass();
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{105}));
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{100, 105}));
}

TEST(ReportRoom, WithoutRoomNothingIsTakenAndNothingLost) {
  constexpr std::uint64_t kReported = 1000;
  const test::GuestRam ram({{Gpa{0}, kReported * kPageSize, 0}});
  test::ReclaimHarness h(ram.map());
  Pages wanted;
  unsigned refusals = 0;
  // Every second page, so that none meets another.
  for (std::uint64_t page = 0; page < kReported; page += 2) {
    while (!h.reclaimer().report({Gpa{page * kPageSize}, kPageSize})) {
      ++refusals;
      h.pass();
    }
    wanted.insert(page);
  }
  h.flush();
  EXPECT_GT(refusals, 0U) << "the list must be bounded";
  EXPECT_EQ(h.discarder().file_pages(), wanted);
  EXPECT_EQ(h.calls().size(), wanted.size()) << "each once";
}

TEST(Retained, AReadOnlyRegionIsServedAndKept) {
  const test::GuestRam ram({{Gpa{0}, 16 * kPageSize, 0}});
  const UniqueFd read_only(
      ::open(("/proc/self/fd/" + std::to_string(ram.fd())).c_str(), O_RDONLY | O_CLOEXEC));
  auto specs = ram.specs();
  specs[0].fd = read_only.get();
  specs.push_back({Gpa{kMiB}, 4 * kPageSize, ram.at(Gpa{0}), -1, 0});
  test::ReclaimHarness h(gmem::GuestMemory::create(specs).value());
  EXPECT_EQ(h.inflate({1, 2}).changed, 2U);
  EXPECT_EQ(h.inflate(kMiB / kPageSize).changed, 1U) << "without any file";
  h.report(5 * kPageSize, kPageSize);
  h.flush();
  EXPECT_TRUE(h.calls().empty());
  EXPECT_EQ(h.counters().retained_bytes.get(), 4 * kPageSize);
  EXPECT_EQ(h.counters().failed_calls.get(), 0U);
  EXPECT_EQ(h.reclaimer().gather().ballooned_pages(), 3U);
  EXPECT_EQ(h.deflate(1).changed, 1U);
}

class Inhibited : public ReportTest {};

TEST_F(Inhibited, NothingIsDiscardedAndWhatIsGatheredGoesAfterwards) {
  h_.inflate({0, 3});
  h_.reclaimer().gather().inhibit(true);
  h_.inflate({5, 3});
  h_.flush();
  EXPECT_TRUE(h_.calls().empty());
  EXPECT_FALSE(h_.reclaimer().busy()) << "nothing to do until it is off";
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 6U);
  h_.deflate({1, 5});
  h_.reclaimer().gather().inhibit(false);
  EXPECT_TRUE(h_.reclaimer().busy());
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{100, 106, 107}));
}

// Their buffer goes back, and with it the pages: what waited is not discarded afterwards either.
TEST_F(Inhibited, ReportsAreKeptEvenThoseThatWaitedAlready) {
  h_.report(0, 2 * kPageSize);
  h_.reclaimer().gather().inhibit(true);
  h_.report(5 * kPageSize, kPageSize);
  h_.flush();
  EXPECT_TRUE(h_.reclaimer().drained());
  h_.reclaimer().gather().inhibit(false);
  h_.flush();
  EXPECT_TRUE(h_.calls().empty());
  EXPECT_EQ(h_.counters().retained_bytes.get(), 3 * kPageSize);
}

// Without MUST_TELL_HOST a page may be in use as soon as its buffer went back, so one that is not
// discarded before that never is.
TEST_F(Inhibited, ADriverThatDoesNotTellKeepsItsPagesForGood) {
  h_.reclaimer().gather().set_tells_host(false);
  h_.inflate({0, 3});
  h_.reclaimer().gather().inhibit(true);
  h_.inflate({5, 3});
  h_.flush();
  h_.reclaimer().gather().inhibit(false);
  h_.flush();
  EXPECT_TRUE(h_.calls().empty());
  EXPECT_EQ(h_.counters().retained_bytes.get(), 6 * kPageSize);
  EXPECT_EQ(h_.reclaimer().gather().ballooned_pages(), 6U);
  h_.inflate(0);
  h_.flush();
  EXPECT_EQ(h_.discarder().file_pages(), (Pages{100})) << "given anew it goes";
}

}  // namespace
}  // namespace vballoon::reclaim
