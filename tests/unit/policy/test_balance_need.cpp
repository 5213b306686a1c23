// SPDX-License-Identifier: BSD-3-Clause
//
// Law balance over guests that grow, are squeezed, or were given something: docs/policy.md, 1 to 4.
#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "balance_fixture.hpp"

namespace vballoon::policy {
namespace {

using BalanceNeedTest = BalanceLawTest;

/// It shows no more than the 400 MiB it has; the other came first and uses all of its GiB.
TEST_F(BalanceNeedTest, WhoIsSqueezedForLongIsHeardBeforeWhoCameFirst) {
  balloon(vm(), 0, 0);
  balloon(other(), 624 * kMiB, 0);
  no_reserve(1480 * kMiB);
  const auto share_of = [this](std::size_t which, Time later) {
    seen.now += later;
    return static_cast<double>(term(law.decide(seen)[which], "share_bytes"));
  };
  for (const Time later : {Time(0), Time(2999)}) {
    EXPECT_NEAR(share_of(1, later), 456.0 * kMiB, kMiB);  // what the other does not use
  }
  EXPECT_NEAR(share_of(1, Time(1)), 560.0 * kMiB, kMiB);
  EXPECT_NEAR(share_of(0, Time(0)), 920.0 * kMiB, kMiB);
}

/// From a reserve of 800 MiB, of which 200 are kept even then.
TEST_F(BalanceNeedTest, WhoIsSqueezedHasTheReserveAtOnce) {
  balloon(vm(), 0, 0);
  balloon(other(), 624 * kMiB, 0);
  budget(1480 * kMiB);
  EXPECT_NEAR(static_cast<double>(term(law.decide(seen)[1], "share_bytes")), 560.0 * kMiB, kMiB);
}

TEST_F(BalanceNeedTest, OneThatGrowsHasHeadroomForAsMuchTwice) {
  (void)decide();
  vm().sample->available = 412 * kMiB;
  EXPECT_EQ(term(decide(), "headroom_bytes"), 200 * kMiB);
  EXPECT_EQ(term(decide(), "headroom_bytes"), 612 * kMiB / 5);
}

/// What it used when nobody looked is no growth: a daemon that starts would empty all balloons.
TEST_F(BalanceNeedTest, AFirstSampleIsNoGrowth) {
  const auto sample = std::exchange(vm().sample, std::nullopt);
  (void)decide();
  vm().sample = sample;
  EXPECT_EQ(term(decide(), "headroom_bytes"), 512 * kMiB / 5);
}

TEST_F(BalanceNeedTest, AFirstSampleAfterStaleOnesIsNoGrowth) {
  vm().sample->available = 900 * kMiB;
  (void)decide();
  vm().sample->age = GuestWatch::kStale + Time(1);
  (void)decide(Time(11'000));
  vm().sample->age = Time(0);
  vm().sample->available = 512 * kMiB;
  EXPECT_EQ(term(decide(), "headroom_bytes"), 512 * kMiB / 5);
}

TEST_F(BalanceNeedTest, WhatWasGivenToOneInNeedIsNotTakenAtOnce) {
  balloon(vm(), 600 * kMiB, 20 * kMiB);
  budget(3000 * kMiB);
  expect(decide(), 0, Rule::kGuestNeeds);
  balloon(vm(), 0, 512 * kMiB);
  budget(1400 * kMiB);
  host().available = 790 * kMiB;
  host().swapped = 500 * kMiB;
  expect(decide(Time(1999)), 0, Rule::kLockedOut);
  EXPECT_EQ(rule_name(decide(Time(1)).rule), "host_needs");
}

}  // namespace
}  // namespace vballoon::policy
