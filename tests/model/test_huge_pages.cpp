// SPDX-License-Identifier: BSD-3-Clause
//
// A guest on real huge pages, and a daemon that is to keep a reserve in their pool.
#include "harness/fixture.hpp"
#include "harness/huge_pool.hpp"

namespace vballoon::model {
namespace {

constexpr std::uint64_t kHugePages = 8;

std::vector<Pfn> pages_of(std::uint64_t huge_page) {
  const std::uint64_t each = bytes_to_pages(kHuge);
  std::vector<Pfn> pages;
  for (std::uint64_t i = 0; i < each; ++i) {
    pages.push_back(Pfn{static_cast<std::uint32_t>(huge_page * each + i)});
  }
  return pages;
}

TEST(HugeGuest, NoPageGoesThatThePoolCouldNotGiveBack) {
  const auto pool = driver::HugePages::get(kHugePages);
  if (!pool) GTEST_SKIP() << pool.error().message;
  driver::RamPlan plan = driver::flat_ram(kHugePages * kHuge);
  plan.huge_page = kHuge;
  const GuestRam ram = must(GuestRam::create(plan));
  Daemon daemon({"vm"}, "[reclaim]\nhugetlb_reserve = true\n");
  const auto driver = connect(daemon.socket("vm"), ram);
  driver::fill_canaries(ram, usable_pages(ram, *driver), 1);  // has the kernel provide all of it
  const auto counter = [&daemon](const char* name) {
    return daemon.show("vm").at("counters").at(name).get<std::uint64_t>();
  };
  const auto reclaimed = [&daemon] {
    return daemon.show("vm").at("reclaimed_bytes").get<std::uint64_t>();
  };
  must(driver->inflate(pages_of(1)));
  must(driver->inflate(pages_of(2)));
  EXPECT_TRUE(eventually([&] { return reclaimed() == 2 * kHuge; }));
  Others others;
  others.take_all();
  must(driver->inflate(pages_of(3)));
  EXPECT_TRUE(eventually([&] { return counter("uncovered_bytes") == kHuge; }));
  EXPECT_EQ(reclaimed(), 2 * kHuge);
  EXPECT_EQ(counter("discard_failures"), 0U);
  EXPECT_EQ(driver::check_canaries(ram, pages_of(3), 1).changed, 0U);
}

}  // namespace
}  // namespace vballoon::model
