// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_reclaimed.cpp - "given to the host" is said of nothing that is not.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "reclaim_layout.hpp"
#include "support/step_sink.hpp"

namespace vballoon::reclaim {
namespace {

class Reclaimed : public LayoutTest {
 protected:
  void refuse(std::uint64_t file_page_first, std::uint64_t pages) {
    h_.discarder().refuse = [=](const test::DiscardCall& call) {
      const std::uint64_t page = bytes_to_pages(call.offset);
      return page >= file_page_first && page < file_page_first + pages;
    };
  }
  [[nodiscard]] std::uint64_t reclaimed() { return h_.reclaimer().gather().reclaimed_pages(); }
  [[nodiscard]] std::uint64_t kept() { return h_.counters().kept_pages.get(); }
};

TEST_F(Reclaimed, IsNothingThatStillWaitsInTheWindow) {
  h_.inflate({kLow, 100});
  EXPECT_EQ(reclaimed(), 0U);
  h_.flush();
  EXPECT_EQ(reclaimed(), 100U);
  EXPECT_EQ(h_.counters().reclaimed_pages.get(), 100U);
  h_.deflate({kLow, 40});
  EXPECT_EQ(reclaimed(), 60U);
}

TEST_F(Reclaimed, IsNothingThatIsOnItsWay) {
  test::StepSink sink;
  h_.reclaimer().handover().set_sink(sink);
  h_.inflate({kLow, 100});
  h_.reclaimer().pump(h_.now_us, true);
  EXPECT_EQ(reclaimed(), 0U);
  h_.deflate({kLow, 40});
  sink.step_all();
  EXPECT_EQ(reclaimed(), 60U);
  EXPECT_EQ(h_.counters().in_flight.get(), 0U);
}

TEST_F(Reclaimed, IsNothingThatTheKernelRefused) {
  refuse(file_page(kLow), 512);
  h_.inflate({kLow, 1024});
  h_.flush();
  EXPECT_EQ(reclaimed(), 512U);
  EXPECT_EQ(kept(), 512U);
  h_.deflate({kLow, 1024});
  h_.flush();
  EXPECT_EQ(reclaimed(), 0U);
  EXPECT_EQ(kept(), 0U) << "nothing is in the balloon any more";
}

// There is a count a block, no bit a page: which of them left is not known.
TEST_F(Reclaimed, IsNeverTooMuchWhereABlockWasRefusedInPart) {
  refuse(file_page(kLow), 1);
  h_.inflate({kLow, 10});
  h_.flush();
  h_.discarder().refuse = nullptr;
  h_.inflate({kLow + 20, 10});
  h_.flush();
  EXPECT_EQ(reclaimed(), 10U);
  h_.deflate({kLow, 10});
  EXPECT_LE(reclaimed(), 10U);
  h_.deflate({kLow + 20, 10});
  h_.inflate({kLow, 10});
  h_.flush();
  EXPECT_EQ(reclaimed(), 10U) << "a block that was empty begins anew";
}

TEST_F(Reclaimed, CountsWhatWasRefusedAndWentTheNextTime) {
  refuse(file_page(kLow), 512);
  h_.inflate({kLow, 10});
  h_.flush();
  EXPECT_EQ(reclaimed(), 0U);
  h_.discarder().refuse = nullptr;
  EXPECT_EQ(h_.inflate({kLow, 10}).unchanged, 10U);
  h_.flush();
  EXPECT_EQ(reclaimed(), 10U);
}

TEST_F(Reclaimed, IsNothingOfMemoryThatTakesNoHoles) {
  const test::PhantomMap bare(-1,
                              std::vector<test::RamPiece>{{Gpa{kLow * kPageSize}, 4 * kMiB, 0}});
  test::ReclaimHarness h(bare.map());
  h.inflate({kLow, 700});
  h.flush();
  EXPECT_EQ(h.reclaimer().gather().ballooned_pages(), 700U);
  EXPECT_EQ(h.reclaimer().gather().reclaimed_pages(), 0U);
  h.deflate({kLow + 100, 400});
  h.flush();
  EXPECT_EQ(h.reclaimer().gather().reclaimed_pages(), 0U);
  EXPECT_EQ(h.counters().kept_pages.get(), 300U);
}

TEST_F(Reclaimed, IsNothingThatWasInhibited) {
  h_.reclaimer().gather().inhibit(true);
  h_.inflate({kLow, 10});
  h_.flush();
  EXPECT_EQ(reclaimed(), 0U);
  h_.reclaimer().gather().inhibit(false);
  h_.flush();
  EXPECT_EQ(reclaimed(), 10U) << "this driver tells: what waited goes now";
  h_.reclaimer().gather().set_tells_host(false);
  h_.inflate({kLow + 20, 5});
  h_.reclaimer().gather().inhibit(true);
  h_.flush();
  h_.reclaimer().gather().inhibit(false);
  h_.flush();
  EXPECT_EQ(reclaimed(), 10U) << "this one does not: what was let go of stays with the guest";
  EXPECT_EQ(kept(), 5U);
}

TEST_F(Reclaimed, SurvivesAChangeOfMemory) {
  refuse(file_page(kLow), 512);
  h_.inflate({kLow, 1024});
  h_.flush();
  h_.reclaimer().set_memory(ram_.map());
  EXPECT_EQ(reclaimed(), 512U);
  EXPECT_EQ(kept(), 512U);
  h_.reclaimer().empty();
  EXPECT_EQ(reclaimed(), 0U);
  EXPECT_EQ(kept(), 0U);
}

TEST_F(Reclaimed, OfAHugePageIsAllOrNothing) {
  const UniqueFd fd = test::open_hugetlb();
  if (!fd.valid()) GTEST_SKIP() << "this kernel has no hugetlbfs";
  const std::uint64_t huge = gmem::inspect_backing(fd.get()).host_page;
  const std::uint64_t full = bytes_to_pages(huge);
  const test::PhantomMap memory(fd.get(), std::vector<test::RamPiece>{{Gpa{0}, 2 * huge, 0}});
  test::ReclaimHarness h(memory.map());
  h.inflate({0, full + 7});
  h.flush();
  EXPECT_EQ(h.reclaimer().gather().reclaimed_pages(), full);
  h.reclaimer().gather().set_tells_host(false);
  h.inflate({full + 7, full - 7});
  h.flush();
  EXPECT_EQ(h.reclaimer().gather().reclaimed_pages(), full) << "the second is whole, and kept";
  h.deflate({full, 1});
  EXPECT_EQ(h.reclaimer().gather().reclaimed_pages(), full);
  EXPECT_EQ(h.reclaimer().gather().stranded_pages(), full - 1);
  h.deflate({0, 1});
  EXPECT_EQ(h.reclaimer().gather().reclaimed_pages(), 0U);
}

// Against a set of pages, with a kernel that refuses whole blocks: then the figure is exact.
TEST_F(Reclaimed, IsExactWhereTheKernelRefusesWholeBlocks) {
  std::mt19937 random(7);
  const auto refused = [](std::uint64_t page) { return file_page(page) / 512 % 3 == 0; };
  h_.discarder().refuse = [](const test::DiscardCall& call) {
    return bytes_to_pages(call.offset) / 512 % 3 == 0;
  };
  std::vector<bool> in(kLowPages);
  for (int step = 0; step < 2000; ++step) {
    const std::uint64_t first = random() % kLowPages;
    const std::uint64_t pages = std::min<std::uint64_t>(1 + random() % 700, kLowPages - first);
    const bool inflate = random() % 2 == 0;
    inflate ? h_.inflate({kLow + first, pages}) : h_.deflate({kLow + first, pages});
    for (std::uint64_t i = first; i < first + pages; ++i) in[i] = inflate;
    if (step % 10 != 0) continue;
    h_.flush();
    std::uint64_t expected = 0;
    for (std::uint64_t i = 0; i < kLowPages; ++i) expected += in[i] && !refused(kLow + i) ? 1U : 0U;
    ASSERT_EQ(reclaimed(), expected) << step;
  }
}

}  // namespace
}  // namespace vballoon::reclaim
