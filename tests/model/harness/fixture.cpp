// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>

namespace vballoon::model {
namespace {

std::uint64_t still_there(const GuestRam& ram, std::span<const Pfn> pages) {
  std::uint64_t there = 0;
  for (const Pfn pfn : pages) {
    if (ram.is_allocated(pfn) || !ram.reads_zero(pfn)) ++there;
  }
  return there;
}

}  // namespace

std::uint64_t test_seed() {
  if (const char* const given = std::getenv("VBALLOON_MODEL_SEED")) {
    return std::strtoull(given, nullptr, 0);
  }
  return std::random_device{}();
}

std::chrono::seconds walk_length() {
  const char* const given = std::getenv("VBALLOON_MODEL_SECONDS");
  return std::chrono::seconds(given == nullptr ? 3 : std::strtol(given, nullptr, 10));
}

bool eventually(const std::function<bool()>& condition) {
  const driver::Deadline deadline(std::chrono::seconds(10));
  while (!condition()) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool packed_run() {
  const char* const given = std::getenv("VBALLOON_MODEL_RING");
  return given == nullptr || std::string_view(given) != "split";
}

std::uint64_t all_but(const std::vector<wire::Feature>& features) {
  wire::Features without;
  for (const wire::Feature feature : features) without = without.with(feature);
  return ~without.bits();
}

std::unique_ptr<BalloonDriver> connect(const std::string& socket, const GuestRam& ram,
                                       const DriverOptions& options) {
  return start_once_free<BalloonDriver>(socket, ram, options);
}

DriverOptions late() {
  DriverOptions options;
  options.features = all_but({wire::Feature::kMustTellHost});
  return options;
}

std::vector<Pfn> usable_pages(const GuestRam& ram, const BalloonDriver& driver) {
  std::vector<Pfn> pages = ram.pages();
  std::erase_if(pages, [&driver](Pfn pfn) { return driver.arena().holds(pfn); });
  return pages;
}

std::string DaemonTest::queue_state(Role role) {
  const std::string wanted = driver::kRoleNames[static_cast<std::size_t>(role)];
  const Json device = show();
  for (const Json& queue : device.at("queues")) {
    if (queue.at("role") == wanted) return queue.at("state").get<std::string>();
  }
  return "missing";
}

std::size_t DaemonTest::logged(const std::string& text) {
  const std::string log = daemon_.log();
  std::size_t times = 0;
  for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
    ++times;
  }
  return times;
}

std::vector<Pfn> DaemonTest::fill(const BalloonDriver& driver, std::uint64_t seed) {
  std::vector<Pfn> pages = usable_pages(ram_, driver);
  driver::fill_canaries(ram_, pages, seed);
  return pages;
}

void DaemonTest::expect_untouched(std::span<const Pfn> pages, std::uint64_t seed) {
  const driver::CanaryVerdict verdict = driver::check_canaries(ram_, pages, seed);
  EXPECT_EQ(verdict.changed, 0U) << "of " << verdict.checked << " pages; the first is pfn "
                                 << verdict.first_changed.value;
}

void DaemonTest::expect_gone(std::span<const Pfn> pages) {
  EXPECT_EQ(still_there(ram_, pages), 0U) << "of " << pages.size() << " pages still hold memory";
}

void DaemonTest::expect_gone_soon(std::span<const Pfn> pages) {
  static_cast<void>(eventually([&] { return still_there(ram_, pages) == 0; }));
  expect_gone(pages);
}

void DaemonTest::expect_ballooned(std::uint64_t pages) {
  static_cast<void>(eventually([&] { return ballooned() == pages; }));
  EXPECT_EQ(ballooned(), pages) << "in the ledger";
}

void DaemonTest::expect_no_violations(const driver::Violations& found) {
  EXPECT_EQ(found.unknown_id, 0U);
  EXPECT_EQ(found.not_outstanding, 0U);
  EXPECT_EQ(found.index_jump, 0U);
  EXPECT_EQ(found.out_of_order, 0U);
  EXPECT_EQ(found.missing_call, 0U);
  EXPECT_EQ(found.bad_length, 0U);
  EXPECT_EQ(found.not_in_balloon, 0U);
}

}  // namespace vballoon::model
