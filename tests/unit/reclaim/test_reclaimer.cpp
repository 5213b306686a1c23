// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_reclaimer.cpp - few, long, aligned holes, and none where none belongs.
// Layer:  tests of reclaim, over a discarder that only takes notes.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "reclaim/reclaimer.hpp"
#include "support/fake_discarder.hpp"
#include "support/guest_ram.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kCallBytes = 2 * kMiB;
// Guest pages 256 to 8191 (1 to 32 MiB) at 4 MiB in the file, 16384 to 16639 at 1 MiB.
constexpr std::uint64_t kLow = 256;
constexpr std::uint64_t kLowPages = 7936;
constexpr std::uint64_t kLowInFile = 1024;
constexpr std::uint64_t kHigh = 16384;
constexpr std::uint64_t kHighPages = 256;
constexpr std::uint64_t kHighInFile = 256;

Pfn pfn(std::uint64_t page) {
  return Pfn{static_cast<std::uint32_t>(page)};
}
std::uint64_t file_page(std::uint64_t page) {
  return page < kHigh ? page - kLow + kLowInFile : page - kHigh + kHighInFile;
}

class ReclaimerTest : public testing::Test {
 protected:
  ReclaimerTest() { reclaimer_.set_memory(ram_.map()); }

  void inflate(const std::vector<std::uint64_t>& pages) {
    for (const std::uint64_t page : pages) {
      ASSERT_EQ(reclaimer_.inflate(pfn(page)), Outcome::kDone) << page;
    }
  }
  static std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t pages) {
    std::vector<std::uint64_t> all(pages);
    std::iota(all.begin(), all.end(), first);
    return all;
  }
  std::set<std::uint64_t> expected(const std::vector<std::uint64_t>& pages) {
    std::set<std::uint64_t> in_file;
    for (const std::uint64_t page : pages) in_file.insert(file_page(page));
    return in_file;
  }
  /// Each page once, and each call bounded and aligned.
  void expect_tidy_calls() {
    std::uint64_t bytes = 0;
    for (const test::DiscardCall& call : discarder_.calls) {
      EXPECT_NE(call.bytes, 0U);
      EXPECT_EQ(call.offset % kPageSize, 0U);
      EXPECT_EQ(call.bytes % kPageSize, 0U);
      EXPECT_EQ(call.offset / kCallBytes, (call.offset + call.bytes - 1) / kCallBytes)
          << "a call stays inside one 2 MiB block of the file";
      bytes += call.bytes;
    }
    EXPECT_EQ(bytes, pages_to_bytes(discarder_.file_pages().size())) << "no page twice";
  }

  test::GuestRam ram_{{{Gpa{kLow * kPageSize}, kLowPages* kPageSize, kLowInFile* kPageSize},
                       {Gpa{kHigh * kPageSize}, kHighPages* kPageSize, kHighInFile* kPageSize}}};
  test::FakeDiscarder discarder_;
  Reclaimer reclaimer_{discarder_};
};

TEST_F(ReclaimerTest, NothingHappensBeforeTheFlush) {
  inflate(range(kLow, 512));
  EXPECT_TRUE(discarder_.calls.empty());
  EXPECT_EQ(reclaimer_.ballooned_pages(), 512U);
  reclaimer_.flush();
  EXPECT_FALSE(discarder_.calls.empty());
  const std::size_t calls = discarder_.calls.size();
  reclaimer_.flush();
  EXPECT_EQ(discarder_.calls.size(), calls) << "a second flush has nothing to do";
}

TEST_F(ReclaimerTest, NeighboursAreOneCallInWhateverOrderTheyCame) {
  auto pages = range(kLow + 512, 256);
  std::mt19937 random(51);
  for (int order = 0; order < 3; ++order) {
    if (order == 1) std::reverse(pages.begin(), pages.end());
    if (order == 2) std::shuffle(pages.begin(), pages.end(), random);
    discarder_.calls.clear();
    inflate(pages);
    reclaimer_.flush();
    ASSERT_EQ(discarder_.calls.size(), 1U) << order;
    EXPECT_EQ(discarder_.calls[0].offset, pages_to_bytes(file_page(kLow + 512)));
    EXPECT_EQ(discarder_.calls[0].bytes, pages_to_bytes(256));
    for (const std::uint64_t page : pages) EXPECT_EQ(reclaimer_.deflate(pfn(page)), Outcome::kDone);
  }
  EXPECT_EQ(reclaimer_.counters().inflated.calls.get(), 3U);
  EXPECT_EQ(reclaimer_.counters().inflated.bytes.get(), 3 * pages_to_bytes(256));
}

TEST_F(ReclaimerTest, LongRunsAreCutAtBlocksOfTheFile) {
  const auto pages = range(kLow + 100, 2000);
  inflate(pages);
  reclaimer_.flush();
  EXPECT_EQ(discarder_.file_pages(), expected(pages));
  expect_tidy_calls();
  const std::uint64_t first = file_page(kLow + 100) / 512;
  const std::uint64_t last = file_page(kLow + 2099) / 512;
  EXPECT_EQ(discarder_.calls.size(), last - first + 1) << "one call a block, no more";
}

TEST_F(ReclaimerTest, TheRegionsOwnFileIsPunched) {
  inflate({kHigh});
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 1U);
  EXPECT_NE(discarder_.calls[0].fd, ram_.fd()) << "the map keeps a descriptor of its own";
  EXPECT_TRUE(gmem::inspect_backing(discarder_.calls[0].fd).can_discard);
  EXPECT_EQ(discarder_.calls[0].offset, kHighInFile * kPageSize);
}

TEST_F(ReclaimerTest, WhatIsDeflatedBeforeTheFlushIsNotDiscarded) {
  inflate(range(kLow, 100));
  for (const std::uint64_t page : {kLow, kLow + 50, kLow + 51, kLow + 99}) {
    EXPECT_EQ(reclaimer_.deflate(pfn(page)), Outcome::kDone);
  }
  reclaimer_.flush();
  auto left = range(kLow + 1, 98);
  std::erase_if(left, [](std::uint64_t page) { return page == kLow + 50 || page == kLow + 51; });
  EXPECT_EQ(discarder_.file_pages(), expected(left));
  EXPECT_EQ(discarder_.calls.size(), 2U);
  EXPECT_EQ(reclaimer_.ballooned_pages(), 96U);
}

TEST_F(ReclaimerTest, WhatIsInflatedAgainAfterADeflateIsDiscarded) {
  inflate({kLow});
  EXPECT_EQ(reclaimer_.deflate(pfn(kLow)), Outcome::kDone);
  inflate({kLow});
  reclaimer_.flush();
  EXPECT_EQ(discarder_.file_pages(), expected({kLow}));
  expect_tidy_calls();
}

TEST_F(ReclaimerTest, OutcomesTellWhatCameOfAPage) {
  EXPECT_EQ(reclaimer_.inflate(pfn(kLow - 1)), Outcome::kOutsideMemory);
  EXPECT_EQ(reclaimer_.inflate(pfn(kLow + kLowPages)), Outcome::kOutsideMemory);
  EXPECT_EQ(reclaimer_.inflate(Pfn{UINT32_MAX}), Outcome::kOutsideMemory);
  EXPECT_EQ(reclaimer_.deflate(pfn(kLow - 1)), Outcome::kOutsideMemory);
  EXPECT_EQ(reclaimer_.deflate(pfn(kLow)), Outcome::kNotThere);
  EXPECT_EQ(reclaimer_.inflate(pfn(kLow)), Outcome::kDone);
  reclaimer_.flush();
  EXPECT_EQ(reclaimer_.inflate(pfn(kLow)), Outcome::kAlreadyThere);
  reclaimer_.flush();
  EXPECT_EQ(discarder_.calls.size(), 2U) << "a guest that gives a page again has used it since";
  EXPECT_EQ(reclaimer_.ballooned_pages(), 1U);
}

// Every second page merges with nothing, so the window is full after 2048 of them.
TEST_F(ReclaimerTest, AFullWindowLosesNothing) {
  std::vector<std::uint64_t> pages;
  for (std::uint64_t page = kLow; page < kLow + kLowPages; page += 2) pages.push_back(page);
  ASSERT_GT(pages.size(), 3000U);
  inflate(pages);
  EXPECT_FALSE(discarder_.calls.empty()) << "the window must be bounded";
  reclaimer_.flush();
  EXPECT_EQ(discarder_.file_pages(), expected(pages));
  expect_tidy_calls();
  EXPECT_EQ(reclaimer_.ballooned_pages(), pages.size());
}

TEST_F(ReclaimerTest, AFullWindowOfReportsLosesNothing) {
  std::vector<std::uint64_t> pages;
  for (std::uint64_t page = kLow; page < kLow + kLowPages; page += 2) {
    pages.push_back(page);
    reclaimer_.report({Gpa{pages_to_bytes(page)}, kPageSize});
  }
  reclaimer_.flush();
  EXPECT_EQ(discarder_.file_pages(), expected(pages));
  EXPECT_EQ(reclaimer_.ballooned_pages(), 0U);
}

TEST_F(ReclaimerTest, ARefusalIsCountedAndThePagesStay) {
  const std::uint64_t block = pages_to_bytes(file_page(kLow + 512));
  discarder_.refuse = [block](const test::DiscardCall& call) { return call.offset == block; };
  inflate(range(kLow, 1536));
  reclaimer_.flush();
  ASSERT_EQ(discarder_.calls.size(), 3U) << "the pieces behind a refused one are still tried";
  EXPECT_EQ(reclaimer_.counters().failed_calls.get(), 1U);
  EXPECT_EQ(reclaimer_.counters().inflated.calls.get(), 3U);
  EXPECT_EQ(reclaimer_.counters().inflated.bytes.get(), 2 * kCallBytes);
  EXPECT_EQ(reclaimer_.ballooned_pages(), 1536U);
  EXPECT_EQ(reclaimer_.deflate(pfn(kLow + 600)), Outcome::kDone);
}

TEST_F(ReclaimerTest, ResetForgetsTheBalloonAndWhatWasGathered) {
  inflate(range(kLow, 10));
  reclaimer_.report({Gpa{pages_to_bytes(kHigh)}, kPageSize});
  reclaimer_.reset();
  reclaimer_.flush();
  EXPECT_TRUE(discarder_.calls.empty()) << "after a reset every page is the guest's";
  EXPECT_EQ(reclaimer_.ballooned_pages(), 0U);
  inflate({kLow});
  reclaimer_.flush();
  EXPECT_EQ(discarder_.calls.size(), 1U);
}

TEST_F(ReclaimerTest, ReleaseLetsGoOfTheMemory) {
  const std::weak_ptr<const gmem::GuestMemory> watched = [this] {
    auto memory = ram_.map();
    reclaimer_.set_memory(memory);
    return std::weak_ptr(memory);
  }();
  EXPECT_FALSE(watched.expired());
  inflate({kLow});
  reclaimer_.release();
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(reclaimer_.ballooned_pages(), 0U);
  reclaimer_.flush();
  EXPECT_TRUE(discarder_.calls.empty());
}

TEST_F(ReclaimerTest, AnotherMapKeepsTheBalloonAndPunchesInTheNewPlace) {
  inflate(range(kLow, 4));
  reclaimer_.flush();
  discarder_.calls.clear();
  const test::GuestRam moved({{Gpa{(kLow + 2) * kPageSize}, 8 * kPageSize, 0}});
  reclaimer_.set_memory(moved.map());
  EXPECT_EQ(reclaimer_.ballooned_pages(), 2U);
  EXPECT_TRUE(discarder_.calls.empty());
  EXPECT_EQ(reclaimer_.deflate(pfn(kLow)), Outcome::kOutsideMemory);
  EXPECT_EQ(reclaimer_.inflate(pfn(kLow + 3)), Outcome::kAlreadyThere);
  reclaimer_.flush();
  EXPECT_EQ(discarder_.file_pages(), (std::set<std::uint64_t>{1}));
}

// At no time is a page discarded that is neither in the balloon nor reported, and after a flush
// none is left that should have been.
TEST_F(ReclaimerTest, RandomStepsFollowAModel) {
  std::mt19937 random(52);
  std::set<std::uint64_t> balloon;   // file pages
  std::set<std::uint64_t> due;       // gathered by inflation, to be discarded if still in
  std::set<std::uint64_t> reported;  // of this window
  discarder_.on_call = [&](const test::DiscardCall& call) {
    for (std::uint64_t at = call.offset; at < call.offset + call.bytes; at += kPageSize) {
      const std::uint64_t page = at / kPageSize;
      ASSERT_TRUE(balloon.contains(page) || reported.contains(page)) << page;
    }
  };
  for (int window = 0; window < 300; ++window) {
    for (std::uint64_t step = random() % 400; step > 0; --step) {
      const bool low = random() % 4 != 0;
      const std::uint64_t page = low ? kLow + random() % 1500 : kHigh + random() % kHighPages;
      const std::uint64_t in_file = file_page(page);
      switch (random() % 5) {
        case 0: {
          const std::uint64_t pages = std::min<std::uint64_t>(
              1 + random() % 8, (low ? kLow + kLowPages : kHigh + kHighPages) - page);
          for (std::uint64_t i = 0; i < pages; ++i) reported.insert(in_file + i);
          reclaimer_.report({Gpa{pages_to_bytes(page)}, pages_to_bytes(pages)});
          break;
        }
        case 1:
        case 2:
          ASSERT_EQ(reclaimer_.deflate(pfn(page)),
                    balloon.erase(in_file) == 1 ? Outcome::kDone : Outcome::kNotThere);
          break;
        default:
          ASSERT_EQ(reclaimer_.inflate(pfn(page)),
                    balloon.insert(in_file).second ? Outcome::kDone : Outcome::kAlreadyThere);
          due.insert(in_file);
      }
    }
    discarder_.calls.clear();
    reclaimer_.flush();
    std::set<std::uint64_t> wanted = reported;
    std::set_intersection(due.begin(), due.end(), balloon.begin(), balloon.end(),
                          std::inserter(wanted, wanted.end()));
    ASSERT_EQ(discarder_.file_pages(), wanted) << window;
    ASSERT_EQ(reclaimer_.ballooned_pages(), balloon.size());
    due.clear();
    reported.clear();
  }
}

}  // namespace
}  // namespace vballoon::reclaim
