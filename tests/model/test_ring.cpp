// SPDX-License-Identifier: BSD-3-Clause
//
// Ring shapes: sizes, index wrap at 2^16, direct and indirect, calls or none.
#include <algorithm>
#include <random>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::Indirect;
using driver::WaitMode;

class RingTest : public DaemonTest {
 protected:
  /// In and out again, everything checked.
  void round_trip(const DriverOptions& options, std::size_t pages_each_way) {
    const auto driver = connect(options);
    const auto pages = fill(*driver);
    const auto some = std::span(pages).first(pages_each_way);
    must(driver->inflate(some));
    expect_gone(some);
    expect_ballooned(pages_each_way);
    must(driver->deflate(some));
    driver::fill_canaries(ram_, some, 1);
    expect_ballooned(0);
    expect_untouched(pages);
    expect_no_violations(*driver);
  }
};

TEST_F(RingTest, PassesTheIndexWrap) {
  DriverOptions options = late();
  options.batch_pages = 1;
  options.depth = 100;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  const auto some = std::span(pages).first(7000);
  for (int round = 0; round < 10; ++round) {
    must(driver->inflate(some));
    must(driver->deflate(some));
  }
  EXPECT_EQ(driver->take_traffic(Role::kInflate).buffers, 70'000U);
  EXPECT_EQ(counter("inflate_pages"), 70'000U);
  EXPECT_EQ(counter("deflate_pages"), 70'000U);
  expect_ballooned(0);
  expect_untouched(std::span(pages).subspan(7000));
  expect_no_violations(*driver);
}

TEST_F(RingTest, Sizes) {
  for (const unsigned size : {2U, 4U, 16U, 256U, 1024U}) {
    SCOPED_TRACE(size);
    DriverOptions options = late();
    options.queue_size = size;
    options.depth = 300;
    options.batch_pages = 5;
    options.indirect = Indirect::kNever;
    round_trip(options, 3000);
  }
}

/// 2.8.10.1: a packed ring may have any size up to the largest.
TEST_F(RingTest, SizesThatAreNoPowersOfTwo) {
  if (!packed_run()) GTEST_SKIP() << "2.7: split rings have none";
  for (const unsigned size : {1U, 3U, 5U, 100U, 255U, 1000U}) {
    SCOPED_TRACE(size);
    DriverOptions options = late();
    options.queue_size = size;
    options.depth = 300;
    options.batch_pages = 5;
    round_trip(options, 3000);
  }
}

/// Each queue at the smallest and the largest sizes, and at one that is no power of two.
TEST_F(RingTest, EveryQueueAtTheEdgesOfSize) {
  ram_ = must(GuestRam::create(driver::flat_ram(64 * kMiB)));
  for (const unsigned size : {2U, 3U, 256U, 32768U}) {
    if (size == 3 && !packed_run()) continue;
    SCOPED_TRACE(size);
    DriverOptions options = late();
    options.queue_size = size;
    options.arena_bytes = 16 * kMiB;
    options.indirect = Indirect::kNever;
    const auto driver = connect(options);
    const auto pages = fill(*driver);
    const auto some = std::span(pages).first(2000);
    for (int round = 0; round < 3; ++round) {
      must(driver->inflate(some));
      expect_gone(some);
      must(driver->deflate(some));
      driver::fill_canaries(ram_, some, 1);
      command_hints("start");
      must(driver->hint(std::vector<GpaRange>{{to_gpa(pages[0]), 64 * kPageSize}}));
      must(driver->report(std::vector<GpaRange>{{to_gpa(pages[3000]), 64 * kPageSize},
                                                {to_gpa(pages[3100]), 64 * kPageSize}}));
      expect_gone(std::span(pages).subspan(3000, 64));
      expect_gone(std::span(pages).subspan(3100, 64));
      driver::fill_canaries(ram_, std::span(pages).subspan(3000, 164), 1);
      must(driver->pause());
      must(driver->resume());
    }
    expect_untouched(pages);
    expect_no_violations(*driver);
    EXPECT_EQ(counter("hint_pages"), 64U * 3);
    const Json device = show();
    for (const Json& queue : device.at("queues")) EXPECT_EQ(queue.at("size"), size);
    daemon_.call("device.remove", {{"name", device_}});
    daemon_.call("device.add", {{"name", device_}, {"socket", daemon_.socket(device_)}});
  }
}

TEST_F(RingTest, WithoutInOrder) {
  DriverOptions options = late();
  options.features &= all_but({wire::Feature::kInOrder});
  options.depth = 100;
  options.batch_pages = 7;
  round_trip(options, 5000);
}

TEST_F(RingTest, TheLargestSize) {
  ram_ = must(GuestRam::create(driver::flat_ram(64 * kMiB)));
  DriverOptions options = late();
  options.queue_size = 32768;
  options.arena_bytes = 32 * kMiB;
  options.features &= all_but({wire::Feature::kReporting, wire::Feature::kIndirectDesc});
  options.batch_pages = 1;
  options.depth = 8000;
  round_trip(options, 8000);
}

TEST_F(RingTest, IndirectIsOfferedOnlyWhereTheOperatorSaysSo) {
  EXPECT_FALSE(connect()->offered().has(wire::Feature::kIndirectDesc));
  offer_indirect();
  EXPECT_TRUE(connect()->offered().has(wire::Feature::kIndirectDesc));
}

TEST_F(RingTest, IndirectForEverything) {
  offer_indirect();
  DriverOptions options = late();
  options.indirect = Indirect::kAlways;
  options.depth = 32;
  round_trip(options, 4000);
}

TEST_F(RingTest, DirectChainsForReports) {
  DriverOptions options;
  options.indirect = Indirect::kNever;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  std::vector<GpaRange> ranges;
  for (std::size_t i = 0; i < 320; i += 2) ranges.push_back({to_gpa(pages[i]), kPageSize});
  must(driver->report(ranges));
  for (std::size_t i = 0; i < 320; ++i) {
    ASSERT_EQ(ram_.is_allocated(pages[i]), i % 2 == 1) << i;
  }
}

TEST_F(RingTest, SpinningWithoutCalls) {
  DriverOptions options = late();
  options.wait = WaitMode::kSpin;
  options.depth = 16;
  const std::uint64_t before = counter("calls");
  round_trip(options, 4000);
  EXPECT_EQ(counter("calls"), before);
}

TEST_F(RingTest, LargeBuffers) {
  DriverOptions options = late();
  options.batch_pages = 6000;
  round_trip(options, 7000);
}

TEST_F(RingTest, RandomOrderInDeepPipelines) {
  DriverOptions options = late();
  options.depth = 64;
  options.batch_pages = 37;
  const auto driver = connect(options);
  auto pages = fill(*driver);
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(testing::Message() << "VBALLOON_MODEL_SEED=" << seed);
  std::shuffle(pages.begin(), pages.end(), std::mt19937_64(seed));
  const auto some = std::span(pages).first(5000);
  must(driver->inflate(some));
  expect_gone(some);
  expect_ballooned(5000);
  expect_untouched(std::span(pages).subspan(5000));
  expect_no_violations(*driver);
}

}  // namespace
}  // namespace vballoon::model
