// SPDX-License-Identifier: BSD-3-Clause
//
// Device 13 on real huge pages of a pool that runs empty: short answers, never SIGBUS, which would
// end this test. docs/device-13.md, DEV-11, DEV-12, DEV-19.
#include <thread>

#include "harness/huge_pool.hpp"
#include "harness/kept_daemon.hpp"
#include "harness/large_walk.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kPages = 8;  // of a VM; page 0 is the driver's own

driver::RamPlan huge_ram(std::uint64_t pages = kPages) {
  driver::RamPlan plan = driver::flat_ram(pages * kHuge);
  plan.huge_page = kHuge;
  return plan;
}

/// A VM whose memory the kernel has provided, and its driver.
struct HugeVm {
  HugeVm(Daemon& daemon, const std::string& name, GuestRam memory)
      : ram(std::move(memory)), device(name), host(daemon) {
    daemon.call(
        "device.add",
        {{"name", name}, {"socket", daemon.socket(name)}, {"kind", "large"}, {"page_sizes", "2M"}});
    driver = start_once_free<LargeBalloonDriver>(daemon.socket(name), ram, LargeOptions{});
    for (const Pfn pfn : ram.pages()) {
      if (!driver->arena().holds(pfn)) pages.push_back(pfn);
    }
    driver::fill_canaries(ram, pages, 1);
  }
  [[nodiscard]] std::uint64_t reclaimed() const {
    return host.show(device).at("reclaimed_bytes").get<std::uint64_t>();
  }
  [[nodiscard]] std::uint64_t counter(const char* name) const {
    return host.show(device).at("counters").at(name).get<std::uint64_t>();
  }
  /// Puts pages in and waits until the host has them.
  void give(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t before = reclaimed();
    must(driver->add(large_pages(first, count), kHugeShift));
    EXPECT_TRUE(eventually([&] { return reclaimed() == before + count * kHuge; })) << device;
  }
  /// Uses what came back: a page without memory is the end of this process.
  std::size_t take(std::size_t count) {
    const auto back = must(driver->withdraw(count, kHugeShift));
    driver::fill_canaries(ram, pfns_of(back, kHugeShift), 1);
    return back.size();
  }
  void expect_whole() {
    const auto inside = driver::small_pages(driver->balloon().pages());
    std::vector<Pfn> outside = pages;
    std::erase_if(outside, [&](Pfn pfn) { return std::ranges::binary_search(inside, pfn); });
    EXPECT_EQ(driver::check_canaries(ram, outside, 1).changed, 0U) << device;
    EXPECT_EQ(driver->violations().total(), 0U) << device;
    // The figure follows the buffer.
    const std::uint64_t bytes = driver->balloon().bytes();
    EXPECT_TRUE(eventually([&] { return host.show(device).at("ballooned_bytes") == bytes; }))
        << device << ": " << host.show(device).at("ballooned_bytes") << ", not " << bytes;
  }

  GuestRam ram;
  std::string device;
  Daemon& host;
  std::unique_ptr<LargeBalloonDriver> driver;
  std::vector<Pfn> pages;
};

/// The host's pool is larger during the test, by what two VMs need.
class LargeHugePages : public ::testing::Test {
 protected:
  void SetUp() override {
    auto got = driver::HugePages::get(2 * kPages);
    if (!got) GTEST_SKIP() << got.error().message;
    pool_.emplace(*std::move(got));
  }
  [[nodiscard]] HugeVm start(const std::string& name = "vm") {
    return HugeVm(daemon_, name, must(GuestRam::create(huge_ram())));
  }
  std::optional<driver::HugePages> pool_;
  Daemon daemon_{kNoDevices};
  Others others_;
};

/// DEV-11, DEV-12.
TEST_F(LargeHugePages, AnEmptyPoolIsAShortAnswer) {
  HugeVm vm = start();
  vm.give(1, 5);
  others_.take_all();
  ASSERT_GE(others_.pages(), 5U);
  EXPECT_EQ(vm.take(5), 0U);
  EXPECT_EQ(vm.counter("withheld"), 1U);
  others_.give_back(2);
  EXPECT_EQ(vm.take(5), 2U) << "as many as the host has";
  EXPECT_EQ(vm.take(5), 0U);
  others_.give_back(3);
  EXPECT_EQ(vm.take(5), 3U);
  vm.expect_whole();
}

/// A page that was withheld is in the balloon as it was: a discard of it, which the next answer
/// waits for, is counted once.
TEST_F(LargeHugePages, WhatIsWithheldStaysInTheBalloon) {
  HugeVm vm = start();
  vm.give(1, 4);
  others_.take_all();
  for (int round = 0; round < 10; ++round) EXPECT_EQ(vm.take(4), 0U);
  vm.expect_whole();
  others_.give_back(4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(vm.take(1), 1U);
  vm.expect_whole();
}

/// DEV-19.
TEST_F(LargeHugePages, ReleaseStopsAtTheFirstPageThatCannotComeBack) {
  HugeVm vm = start();
  vm.give(1, 5);
  others_.take_all();
  others_.give_back(2);
  const auto list = large_pages(1, 5);
  const std::size_t done = must(vm.driver->release(list, kHugeShift));
  EXPECT_EQ(done, 2U);
  driver::fill_canaries(vm.ram, pfns_of(std::span(list).first(done), kHugeShift), 1);
  vm.expect_whole();
  others_.give_back(3);
  EXPECT_EQ(must(vm.driver->release(std::span(list).subspan(done), kHugeShift)), 3U);
  driver::fill_canaries(vm.ram, pfns_of(list, kHugeShift), 1);
  vm.expect_whole();
}

/// Two VMs on one pool: what one has given, the other may have taken.
TEST_F(LargeHugePages, OfTwoVmsOnOnePoolTheLaterOneIsTold) {
  HugeVm first = start("first");
  HugeVm second = start("second");
  first.give(1, 6);
  second.give(1, 6);
  others_.take_all();
  others_.give_back(6);
  EXPECT_EQ(first.take(6), 6U);
  EXPECT_EQ(second.take(6), 0U) << "the pool is empty";
  first.give(1, 2);
  EXPECT_EQ(second.take(6), 2U) << "what the other one gave";
  others_.give_back(4);
  EXPECT_EQ(second.take(6), 4U);
  EXPECT_EQ(first.take(2), 0U);
  first.expect_whole();
  second.expect_whole();
}

/// Both ask at once, again and again, while others take and give.
TEST_F(LargeHugePages, TwoVmsThatAskAtOnceNeverGetAPageWithoutMemory) {
  HugeVm first = start("first");
  HugeVm second = start("second");
  const auto live = [](HugeVm& vm) {
    for (int round = 0; round < 60; ++round) {
      const auto inside = vm.driver->balloon().pages(kHugeShift);
      std::vector<Gpa> more = large_pages(1, kPages - 1);
      std::erase_if(more, [&](Gpa page) { return std::ranges::binary_search(inside, page); });
      must(vm.driver->add(more, kHugeShift));
      std::this_thread::sleep_for(milliseconds(round % 3));
      static_cast<void>(vm.take(1 + static_cast<std::size_t>(round) % kPages));
    }
  };
  std::thread one([&] { live(first); });
  std::thread two([&] { live(second); });
  for (int round = 0; round < 100; ++round) {
    others_.take_all();
    std::this_thread::sleep_for(milliseconds(1));
    others_.give_back(others_.pages() / 2);
  }
  one.join();
  two.join();
  first.expect_whole();
  second.expect_whole();
}

/// Half of its memory is of huge pages, and half is not.
TEST_F(LargeHugePages, AVmOfTwoKindsOfMemoryIsServedInBoth) {
  GuestRam ram = must(GuestRam::create(huge_ram()));
  must(ram.plug(Gpa{kGiB}, kPages * kHuge));
  HugeVm vm(daemon_, "vm", std::move(ram));
  vm.give(1, 5);
  vm.give(kGiB / kHuge, 5);
  others_.take_all();
  EXPECT_EQ(vm.take(10), 5U) << "those that are not of the pool";
  EXPECT_EQ(vm.take(10), 0U);
  vm.expect_whole();
  others_.give_back(5);
  EXPECT_EQ(vm.take(10), 5U);
  vm.expect_whole();
}

/// Pages of 4 KiB on memory of huge ones: a hole needs all of a huge page, an answer none of it.
TEST_F(LargeHugePages, SmallPagesOnHugeMemoryComeBackWithTheirHugePage) {
  const GuestRam ram = must(GuestRam::create(huge_ram()));
  daemon_.call("device.add", {{"name", "vm"},
                              {"socket", daemon_.socket("vm")},
                              {"kind", "large"},
                              {"page_sizes", "4K,2M"}});
  const auto driver =
      start_once_free<LargeBalloonDriver>(daemon_.socket("vm"), ram, LargeOptions{});
  const auto all = pfns_of(large_pages(1, kPages - 1), kHugeShift);
  driver::fill_canaries(ram, all, 1);
  must(driver->add(small_pages_at(2 * kHuge, 512), kSmallShift));  // a whole huge page
  must(driver->add(small_pages_at(4 * kHuge, 100), kSmallShift));  // a part of one
  EXPECT_TRUE(eventually([&] { return daemon_.show("vm").at("reclaimed_bytes") == kHuge; }));
  others_.take_all();
  // Each answer is of other pages, until all were asked for.
  std::size_t came = 0;
  for (int asks = 0; asks < 10; ++asks) {
    const auto some = must(driver->withdraw(driver->config().max_pages, kSmallShift));
    driver::fill_canaries(ram, pfns_of(some, kSmallShift), 1);
    came += some.size();
  }
  EXPECT_EQ(came, 100U) << "those whose huge page is still there, and no others";
  others_.give_back(1);
  const auto rest = must(driver->withdraw(1000, kSmallShift));
  EXPECT_EQ(rest.size(), 512U);
  driver::fill_canaries(ram, pfns_of(rest, kSmallShift), 1);
  EXPECT_EQ(driver::check_canaries(ram, all, 1).changed, 0U);
  EXPECT_EQ(driver->violations().total(), 0U);
}

/// The next daemon knows no more of the pool than the one before did.
TEST_F(LargeHugePages, AfterAKillAnEmptyPoolIsStillAShortAnswer) {
  KeptDaemon daemon(kNoDevices);
  daemon.call(
      "device.add",
      {{"name", "vm"}, {"socket", daemon.socket("vm")}, {"kind", "large"}, {"page_sizes", "2M"}});
  LargeOptions options;
  options.timeout = std::chrono::seconds(60);
  LargeWalk vm("vm", [&] { return daemon.show("vm"); }, daemon.connect("vm"),
               {.ram = huge_ram(), .driver = options, .seed = test_seed(), .short_answers = true});
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 20; ++i) vm.step();
    // The next daemon maps the memory while nothing is left for its holes.
    others_.take_all();
    daemon.replace(SIGKILL);
    for (int i = 0; i < 20; ++i) vm.step();
    others_.give_back(others_.pages());
    vm.expect_whole();
  }
  EXPECT_GT(vm.given(), 0U);
}

}  // namespace
}  // namespace vballoon::model
