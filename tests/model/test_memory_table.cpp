// SPDX-License-Identifier: BSD-3-Clause
//
// Regions: holes, mmap offsets, plug and unplug while the rings run. Source: vhost-user protocol,
// SET_MEM_TABLE.
#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

class MemoryTable : public DaemonTest {
 protected:
  static std::span<const Pfn> around_hole(const std::vector<Pfn>& pages, std::uint64_t below) {
    const auto border = static_cast<std::size_t>(bytes_to_pages(below - kMiB));
    return std::span(pages).subspan(border - 200, 400);
  }
};

TEST_F(MemoryTable, PagesOnBothSidesOfAHole) {
  ram_ = must(GuestRam::create(driver::ram_with_hole(32 * kMiB, 8 * kMiB, 16 * kMiB)));
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  const auto some = around_hole(pages, 8 * kMiB);
  ASSERT_GT(some.back().value - some.front().value, 400U) << "the hole lies between";
  must(driver->inflate(some));
  expect_gone(some);
  expect_ballooned(400);
  std::vector<Pfn> outside(pages.begin(), pages.end());
  std::erase_if(outside, [&](Pfn p) { return p >= some.front() && p <= some.back(); });
  expect_untouched(outside);
}

TEST_F(MemoryTable, AReportEndsWhereItsRegionDoes) {
  ram_ = must(GuestRam::create(driver::ram_with_hole(32 * kMiB, 8 * kMiB, 16 * kMiB)));
  const auto driver = connect();
  const auto pages = fill(*driver);
  const Gpa last{8 * kMiB - kPageSize};
  must(driver->report(std::vector<GpaRange>{{last, kPageSize}, {Gpa{24 * kMiB}, kPageSize}}));
  EXPECT_FALSE(ram_.is_allocated(Pfn{static_cast<std::uint32_t>(bytes_to_pages(last.value))}));
  EXPECT_FALSE(ram_.is_allocated(Pfn{static_cast<std::uint32_t>(bytes_to_pages(24 * kMiB))}));
  EXPECT_EQ(driver::check_canaries(ram_, std::span(pages).first(1000), 1).changed, 0U);
}

TEST_F(MemoryTable, RegionsInFilesOfTheirOwnAndOutOfOrder) {
  ram_ = must(GuestRam::create({.regions = {{Gpa{64 * kMiB}, 8 * kMiB, 1, 4 * kMiB},
                                            {Gpa{0}, 8 * kMiB, 0, 0},
                                            {Gpa{16 * kMiB}, 8 * kMiB, 2, 0}}}));
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  must(driver->inflate(pages));
  expect_gone(pages);
  expect_ballooned(pages.size());
}

TEST_F(MemoryTable, PluggedMemoryCanBeBallooned) {
  const auto driver = connect(late());
  auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(100)));
  must(ram_.plug(Gpa{kGiB}, 16 * kMiB));
  must(driver->update_memory());
  EXPECT_EQ(show().at("table_bytes"), 48 * kMiB);
  EXPECT_EQ(show().at("guest_bytes"), 32 * kMiB) << "its driver does not say that it has more";
  expect_ballooned(100);
  const std::size_t old = pages.size();
  pages = usable_pages(ram_, *driver);
  const auto plugged = std::span(pages).subspan(old);
  driver::fill_canaries(ram_, plugged, 1);
  must(driver->inflate(plugged.first(1000)));
  expect_gone(plugged.first(1000));
  expect_ballooned(1100);
  expect_untouched(plugged.subspan(1000));
  expect_untouched(std::span(pages).subspan(100, old - 100));
  expect_no_violations(*driver);
}

TEST_F(MemoryTable, UnpluggedMemoryLeavesTheLedger) {
  must(ram_.plug(Gpa{kGiB}, 16 * kMiB));
  const auto driver = connect();
  const auto pages = fill(*driver);
  const Pfn plugged{static_cast<std::uint32_t>(bytes_to_pages(kGiB))};
  const std::vector<Pfn> in_plugged{plugged, Pfn{plugged.value + 1}};
  must(driver->inflate(in_plugged));
  must(driver->inflate(std::span(pages).first(50)));
  must(ram_.unplug(Gpa{kGiB}));
  must(driver->update_memory());
  EXPECT_EQ(show().at("guest_bytes"), 32 * kMiB);
  expect_ballooned(50);
  must(driver->deflate(in_plugged));
  EXPECT_EQ(counter("outside_memory"), 2U);
  must(driver->deflate(std::span(pages).first(50)));
  expect_ballooned(0);
}

TEST_F(MemoryTable, TheSameTableAgainChangesNothing) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(1000)));
  for (int i = 0; i < 20; ++i) must(driver->update_memory());
  expect_ballooned(1000);
  must(driver->deflate(std::span(pages).first(1000)));
  EXPECT_EQ(counter("not_ballooned"), 0U);
}

TEST_F(MemoryTable, EightRegions) {
  driver::RamPlan plan;
  for (unsigned i = 0; i < wire::kMaxRegions; ++i) {
    plan.regions.push_back({Gpa{i * 64 * kMiB}, 2 * kMiB, i % 2, (i / 2) * 2 * kMiB});
  }
  ram_ = must(GuestRam::create(plan));
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  must(driver->inflate(pages));
  expect_gone(pages);
}

TEST_F(MemoryTable, ATableThatOverlapsIsRefusedOrNotServed) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  auto table = ram_.table();
  auto fds = ram_.table_fds();
  table.push_back(table.front());
  fds.push_back(fds.front());
  static_cast<void>(driver->front_end().set_mem_table(table, fds));
  EXPECT_TRUE(daemon_.alive());
  expect_untouched(pages);
}

}  // namespace
}  // namespace vballoon::model
