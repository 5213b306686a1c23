// SPDX-License-Identifier: BSD-3-Clause
//
// A counter as a guest claims it: what cannot be is dropped, and costs nothing afterwards.
#include <gtest/gtest.h>

#include "policy/claimed_counter.hpp"

namespace vballoon::policy {
namespace {

using Doubt = ClaimedCounter::Doubt;

struct ClaimedCounterTest : ::testing::Test {
  static constexpr std::uint64_t kMost = 1000;  // in a second

  ClaimedCounter counter;
  Time now{1'000'000};

  void expect(std::optional<std::uint64_t> value, std::uint64_t rise, Doubt doubt = Doubt::kNone,
              Time later = Time(1000)) {
    now += later;
    const auto step = counter.see(value, now, kMost);
    EXPECT_EQ(step.rise, rise);
    EXPECT_EQ(static_cast<int>(step.doubt), static_cast<int>(doubt));
  }
};

TEST_F(ClaimedCounterTest, TheFirstValueIsWhereItCountsFrom) {
  expect(1U << 30, 0);
  expect((1U << 30) + 7, 7);
  expect((1U << 30) + 7, 0);
}

TEST_F(ClaimedCounterTest, AValueThatIsNotSaidIsNoNews) {
  expect(std::nullopt, 0);
  expect(100, 0);
  expect(std::nullopt, 0);
  expect(std::nullopt, 0);
  expect(1300, 1200);  // in three seconds
}

/// virtio-win #1323: its query failed once.
TEST_F(ClaimedCounterTest, ASingleValueThatIsNoneCostsNothing) {
  for (const std::uint64_t odd : {std::uint64_t{0}, std::uint64_t{499}, UINT64_MAX - 4095}) {
    counter = {};
    expect(500, 0);
    expect(odd, 0, odd < 500 ? Doubt::kFell : Doubt::kLeapt);
    expect(510, 10);
    expect(520, 10);
  }
}

TEST_F(ClaimedCounterTest, ADriverThatStartsAnewCountsFromThere) {
  expect(500'000, 0);
  expect(10, 0, Doubt::kFell);
  expect(30, 20);
  expect(60, 30);
}

TEST_F(ClaimedCounterTest, TwoInARowThatAgreeAreBelieved) {
  expect(10, 0);
  expect(500'000, 0, Doubt::kLeapt);
  expect(500'100, 100);
}

TEST_F(ClaimedCounterTest, OneThatOnlyFallsOrLeapsCountsNothing) {
  expect(1'000'000, 0);
  for (std::uint64_t step = 1; step < 10; ++step) expect(1'000'000 - step, 0, Doubt::kFell);
  counter = {};
  expect(0, 0);
  for (std::uint64_t step = 1; step < 10; ++step) expect(step * 100'000, 0, Doubt::kLeapt);
}

TEST_F(ClaimedCounterTest, TheLongerSinceTheMoreItCanHaveRisen) {
  expect(0, 0);
  expect(1001, 0, Doubt::kLeapt);
  expect(4000, 4000, Doubt::kNone, Time(3000));
  expect(5000, 1000, Doubt::kNone, Time(10));
  expect(5500, 500, Doubt::kNone, Time(-900'000));
}

}  // namespace
}  // namespace vballoon::policy
