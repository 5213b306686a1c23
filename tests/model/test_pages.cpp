// SPDX-License-Identifier: BSD-3-Clause
//
// What happens to pages: VIRTIO 1.2, 5.5.6.1 (balloon), 5.5.6.7 (reporting). Proves nothing of a
// real guest's allocator; tests/guest does.
#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using wire::Feature;

std::span<const Pfn> part(const std::vector<Pfn>& pages, std::size_t first, std::size_t count) {
  return std::span(pages).subspan(first, count);
}

std::vector<GpaRange> range_of(std::span<const Pfn> pages) {
  return {{to_gpa(pages.front()), pages_to_bytes(pages.size())}};
}

class PagesTest : public DaemonTest {};

TEST_F(PagesTest, InflatedPagesAreGoneWhenTheBufferIsUsed) {
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  const std::uint64_t before = ram_.allocated_bytes();
  must(driver->inflate(part(pages, 100, 1000)));
  expect_gone(part(pages, 100, 1000));
  EXPECT_EQ(ram_.allocated_bytes(), before - 1000 * kPageSize);
  expect_ballooned(1000);
  expect_untouched(part(pages, 0, 100));
  expect_untouched(part(pages, 1100, pages.size() - 1100));
  expect_no_violations(*driver);
}

TEST_F(PagesTest, PagesAcknowledgedEarlyAreGoneSoon) {
  const auto driver = connect();
  ASSERT_TRUE(driver->acked().has(Feature::kMustTellHost));
  const auto pages = fill(*driver);
  must(driver->inflate(part(pages, 0, 777)));
  expect_gone_soon(part(pages, 0, 777));
  expect_untouched(part(pages, 777, pages.size() - 777));
}

TEST_F(PagesTest, ADeflatedPageIsTheGuestsForGood) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(part(pages, 0, 4000)));
  must(driver->deflate(part(pages, 1000, 2000)));
  driver::fill_canaries(ram_, part(pages, 1000, 2000), 1);
  expect_ballooned(2000);
  expect_gone_soon(part(pages, 0, 1000));
  expect_gone_soon(part(pages, 3000, 1000));
  expect_untouched(part(pages, 1000, 2000));
}

TEST_F(PagesTest, NeighboursInABufferTakeOneSystemCall) {
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  const std::uint64_t before = counter("discard_calls");
  must(driver->inflate(part(pages, 0, 256)));
  std::vector<Pfn> descending(pages.begin() + 256, pages.begin() + 512);
  std::reverse(descending.begin(), descending.end());
  must(driver->inflate(descending));
  expect_gone(part(pages, 0, 512));
  EXPECT_EQ(counter("discard_calls") - before, 2U);
}

TEST_F(PagesTest, SinglePagePairsLikeCompaction) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(part(pages, 0, 512)));
  for (std::size_t i = 0; i < 300; ++i) {
    must(driver->inflate(part(pages, 512 + i, 1)));
    must(driver->deflate(part(pages, i, 1)));
    driver::fill_canaries(ram_, part(pages, i, 1), 1);
  }
  expect_ballooned(512);
  expect_untouched(part(pages, 0, 300));
  expect_gone_soon(part(pages, 300, 512));
}

TEST_F(PagesTest, ReportedPagesAreGoneWhenTheBufferIsUsed) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->report(range_of(part(pages, 500, 2048))));
  expect_gone(part(pages, 500, 2048));
  expect_ballooned(0);
  EXPECT_EQ(counter("reported_pages"), 2048U);
  driver::fill_canaries(ram_, part(pages, 500, 2048), 1);
  expect_untouched(pages);
}

TEST_F(PagesTest, ManyRangesInOneReport) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  std::vector<GpaRange> ranges;
  std::vector<Pfn> kept;
  for (std::size_t i = 0; i + 1 < 64; i += 2) {
    ranges.push_back(range_of(part(pages, i * 16, 16)).front());
    kept.insert(kept.end(), pages.begin() + static_cast<long>((i + 1) * 16),
                pages.begin() + static_cast<long>((i + 2) * 16));
  }
  ASSERT_EQ(ranges.size(), 32U);
  must(driver->report(ranges));
  expect_gone(part(pages, 0, 16));
  expect_gone(part(pages, 62 * 16, 16));
  expect_untouched(kept);
}

TEST_F(PagesTest, APoisonValueWithoutTheFeatureMeansNothing) {
  DriverOptions options;
  options.features = all_but({Feature::kPagePoison});
  const auto driver = connect(options);
  const std::uint32_t poison = 0xAAAAAAAA;
  must(driver->front_end().set_config(12, std::as_bytes(std::span(&poison, 1))));
  const auto pages = fill(*driver);
  must(driver->report(range_of(part(pages, 0, 1024))));
  expect_gone(part(pages, 0, 1024));
}

/// A guest with pages of 64 KiB: 16 numbers a page, its pages in any order.
TEST_F(PagesTest, PagesOf64KibibytesAre16NumbersEach) {
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  std::vector<Pfn> numbers;
  for (std::uint32_t page = 16; page-- > 0;) {
    for (std::uint32_t i = 0; i < 16; ++i) numbers.push_back(Pfn{1024 + 16 * page + i});
  }
  const std::uint64_t before = counter("discard_calls");
  must(driver->inflate(numbers));
  EXPECT_EQ(counter("discard_calls") - before, 1U) << "1 MiB, given in 16 pieces going down";
  expect_gone(numbers);
  expect_ballooned(256);
  must(driver->deflate(std::span(numbers).first(16)));
  expect_ballooned(240);
}

TEST_F(PagesTest, ReportsInAnyOrderAreMerged) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  std::vector<GpaRange> ranges;
  for (std::size_t i = 32; i-- > 0;) ranges.push_back(range_of(part(pages, 512 + i, 1)).front());
  const std::uint64_t before = counter("report_calls");
  must(driver->report(ranges));
  expect_gone(part(pages, 512, 32));
  expect_untouched(part(pages, 0, 512));
  expect_untouched(part(pages, 544, pages.size() - 544));
  EXPECT_LE(counter("report_calls") - before, 2U) << "one, or two where a block ends";
}

TEST_F(PagesTest, OneReportMayBeAGibibyte) {
  ram_ = must(GuestRam::create(driver::flat_ram(kGiB + 64 * kMiB)));
  const auto driver = connect();
  const Pfn first{32 * 256};
  const Pfn last{32 * 256 + 262143};
  const Pfn behind{last.value + 1};
  const std::vector<Pfn> touched{Pfn{first.value - 1}, first, Pfn{first.value + 131072}, last,
                                 behind};
  driver::fill_canaries(ram_, touched, 1);
  must(driver->report(std::vector<GpaRange>{{to_gpa(first), kGiB}}));
  expect_gone(std::span(touched).subspan(1, 3));
  expect_untouched(std::vector<Pfn>{touched.front(), touched.back()});
  EXPECT_EQ(show().at("reported_bytes"), kGiB);
}

TEST_F(PagesTest, ReportingIsSwitchedOffAndOn) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  daemon_.call("device.reporting", {{"name", device_}, {"on", false}});
  must(driver->report(range_of(part(pages, 0, 1024))));
  expect_untouched(pages);
  EXPECT_EQ(counter("reports_kept"), 1024U);
  EXPECT_EQ(show().at("reporting"), false);
  daemon_.call("device.reporting", {{"name", device_}, {"on", true}});
  must(driver->report(range_of(part(pages, 0, 1024))));
  expect_gone(part(pages, 0, 1024));
  EXPECT_EQ(counter("reports_kept"), 1024U);
}

}  // namespace
}  // namespace vballoon::model
