// SPDX-License-Identifier: BSD-3-Clause
//
// Each rule of the law balance, on hosts made for it. What holds on any host: test_properties.cpp.
#include <gtest/gtest.h>

#include "balance_fixture.hpp"
#include "base/guest_page.hpp"

namespace vballoon::policy {
namespace {

/// One or two guests of 1 GiB that use 512 MiB: each needs 614 MiB, and 537 at the very least.
TEST_F(BalanceLawTest, AManualTargetIsLeft) {
  vm().automatic = false;
  vm().target = 1023 * kMiB;
  expect(decide(), 1023, Rule::kManual);
}

TEST_F(BalanceLawTest, WithoutADriverNothingMoves) {
  vm().running = false;
  vm().target = 100 * kMiB;
  expect(decide(), 100, Rule::kNotRunning);
}

TEST_F(BalanceLawTest, AFloorIsGivenBackWhateverElseIsSo) {
  vm().target = vm().actual = 1000 * kMiB;
  vm().inhibited = true;
  expect(decide(), 896, Rule::kFloor);
  vm().limits.floor = 512 * kMiB;
  expect(decide(), 512, Rule::kFloor);
}

TEST_F(BalanceLawTest, OfAnInhibitedOneNothingIsTaken) {
  vm().inhibited = true;
  host().available = 0;
  expect(decide(), 0, Rule::kInhibited);
}

TEST_F(BalanceLawTest, WithoutStatisticsNothingIsTaken) {
  host().available = 0;
  vm().sample.reset();
  expect(decide(), 0, Rule::kNoStatistics);
  vm().target = vm().actual = 100 * kMiB;
  ++vm().pressure_messages;  // but it is heard
  expect(decide(), 36, Rule::kGuestNeeds);
  vm() = running_vm("a");
  vm().sample->age = Time(10'001);
  expect(decide(), 0, Rule::kNoStatistics);
}

TEST_F(BalanceLawTest, WhereThereIsPlentyAllHaveAll) {
  expect(decide(), 0, Rule::kSettled);
  balloon(vm(), 64 * kMiB, 448 * kMiB);
  expect(decide(), 0, Rule::kShare);
}

TEST_F(BalanceLawTest, IdleMemoryIsTakenSlowly) {
  budget(1400 * kMiB);
  const Decision decision = decide();
  EXPECT_NEAR(static_cast<double>(term(decision, "share_bytes")), 700.0 * kMiB, kMiB);
  expect(decision, 81, Rule::kShare);  // a quarter of 324
}

TEST_F(BalanceLawTest, ByWeightAndNotBelowANeed) {
  budget(1400 * kMiB);
  vm().limits.weight = 1;
  const Decision decision = decide();
  EXPECT_EQ(term(decision, "needs_bytes") / kMiB, 614U);
  EXPECT_EQ(term(decision, "share_bytes") / kMiB, 614U);
}

/// That nothing is known of its huge pages does not mean that there are none left.
TEST_F(BalanceLawTest, OfAGuestWhosePoolIsNotKnownNothingIsTaken) {
  seen.pools.push_back({"1 GiB pages", 0, 0, 0, 0, false});
  vm().pool = other().pool = 1;
  balloon(vm(), 100 * kMiB, 500 * kMiB);
  balloon(other(), 0, 0);
  for (int turn = 0; turn < 5; ++turn) expect(decide(), 100, Rule::kHostUnknown);
  vm().pressure_messages = 1;
  expect(decide(), 36, Rule::kGuestNeeds);
}

TEST_F(BalanceLawTest, AHostBelowItsReserveTakesWhatIsIdleAtOnce) {
  budget(1400 * kMiB);
  host().available = 790 * kMiB;
  host().swapped = 500 * kMiB;
  const Decision decision = decide();
  EXPECT_EQ(rule_name(decision.rule), "host_needs");
  EXPECT_EQ(decision.target, whole_guest_pages(kGiB - term(decision, "share_bytes")));
  EXPECT_GE(decision.target, 300 * kMiB);
  EXPECT_GE(term(decision, "share_bytes"), term(decision, "needs_bytes"));
}

/// Each move wakes the guest, and these would come with every turn.
TEST_F(BalanceLawTest, AHostBelowItsReserveLeavesLessThanAMiB) {
  budget(3000 * kMiB);
  host().available = 790 * kMiB;
  other().limits.ceiling = 700 * kMiB;
  vm().limits.ceiling = kGiB - kMiB / 2;
  expect(decide(), 0, Rule::kDeadBand);
  vm().limits.ceiling = kGiB - kMiB * 2;
  EXPECT_EQ(rule_name(decide().rule), "host_needs");
}

TEST_F(BalanceLawTest, WhatIsUnderWayIsNotTakenTwice) {
  budget(1400 * kMiB);
  host().available = 790 * kMiB;
  host().swapped = 600 * kMiB;
  vm().target = 300 * kMiB;
  const Decision decision = decide();
  EXPECT_EQ(rule_name(decision.rule), "host_needs");
  EXPECT_EQ(decision.target, whole_guest_pages(kGiB - term(decision, "share_bytes")));
  EXPECT_LE(decision.target, 410 * kMiB);
}

TEST_F(BalanceLawTest, AGuestThatNeedsMoreIsGivenAllAtOnce) {
  balloon(vm(), 600 * kMiB, 20 * kMiB);  // uses 404 of 424
  budget(3000 * kMiB);
  expect(decide(), 0, Rule::kGuestNeeds);
}

TEST_F(BalanceLawTest, OnlyItsNeedWhereTheHostHasPromisedTheRest) {
  balloon(vm(), 600 * kMiB, 20 * kMiB);
  balloon(other(), 300 * kMiB, 300 * kMiB);
  budget(1400 * kMiB);
  host().available = 790 * kMiB;
  const Decision decision = decide();
  EXPECT_EQ(rule_name(decision.rule), "guest_needs");
  EXPECT_EQ(decision.target, whole_guest_pages(kGiB - term(decision, "needs_bytes")));
}

TEST_F(BalanceLawTest, PressureDoublesTheHeadroom) {
  balloon(vm(), 300 * kMiB, 224 * kMiB);
  (void)decide();
  const std::uint64_t before = term(decide(), "needs_bytes");
  ++vm().pressure_messages;
  const Decision decision = decide();
  EXPECT_EQ(term(decision, "needs_bytes"), before + term(decision, "headroom_bytes"));
  EXPECT_EQ(decision.signs.size(), 1U);
}

TEST_F(BalanceLawTest, WhatAGuestWasShortOfFades) {
  balloon(vm(), 300 * kMiB, 224 * kMiB);
  (void)decide();
  ++vm().pressure_messages;
  const std::uint64_t margin = term(decide(), "margin_bytes");
  EXPECT_EQ(margin, 224 * kMiB + 100 * kMiB);
  EXPECT_NEAR(static_cast<double>(term(decide(Time(59'000)), "margin_bytes")),
              static_cast<double>(margin), kMiB);
  EXPECT_NEAR(static_cast<double>(term(decide(Time(31'000)), "margin_bytes")),
              static_cast<double>(margin) / 2, kMiB);
  EXPECT_EQ(term(decide(Time(30'000)), "margin_bytes"), 0U);
}

TEST_F(BalanceLawTest, OfAGuestThatWasPressedNothingIsTaken) {
  budget(1400 * kMiB);
  (void)decide();
  ++vm().pressure_messages;
  expect(decide(), 0, Rule::kRecovering);
  expect(decide(Time(9999)), 0, Rule::kRecovering);
  EXPECT_EQ(rule_name(decide(Time(1)).rule), "share");
}

TEST_F(BalanceLawTest, AShortageIsSharedByWeight) {
  no_reserve(600 * kMiB);
  other().limits.weight = 300;
  Decision decision;
  for (int turn = 0; turn < 60; ++turn) {
    const auto decisions = law.decide(seen);
    decision = decisions.front();
    if (turn == 0) {
      EXPECT_EQ(rule_name(decision.rule), "shortage");
    }
    next_second(decisions, &seen);
    for (VmObservation& one : seen.vms) {
      one.sample->available = 512 * kMiB - std::min(one.actual, 512 * kMiB);
    }
    no_reserve(600 * kMiB);
  }
  EXPECT_GE(kGiB - vm().target, 128 * kMiB);
  EXPECT_NEAR(static_cast<double>(kGiB - vm().target), 150.0 * kMiB, 40.0 * kMiB);
  EXPECT_NEAR(static_cast<double>(kGiB - other().target), 450.0 * kMiB, 60.0 * kMiB);
}

TEST_F(BalanceLawTest, HeadroomGoesBeforeWhatIsInUse) {
  budget(1120 * kMiB);  // two need 614, and 537 at the very least
  vm().limits.weight = 1;
  other().limits.weight = 1000;
  const auto decisions = law.decide(seen);
  EXPECT_EQ(term(decisions[0], "share_bytes") / kMiB, 537U);
  EXPECT_EQ(term(decisions[1], "share_bytes") / kMiB, 582U);  // the rest
  EXPECT_EQ(rule_name(decisions[0].rule), "shortage");
}

TEST_F(BalanceLawTest, ALargerShareWaitsUntilTheHostHasIt) {
  balloon(vm(), 300 * kMiB, 300 * kMiB);
  budget(1800 * kMiB);
  host().available = 700 * kMiB;
  other().resident = kGiB;
  host().swapped = 0;
  host().reserve = 750 * kMiB;
  other().limits.ceiling = 700 * kMiB;
  expect(decide(), 300, Rule::kWaiting);
}

TEST_F(BalanceLawTest, AMoveBackWaits) {
  balloon(vm(), 300 * kMiB, 220 * kMiB);
  budget(1250 * kMiB);
  const Decision taken = decide();
  EXPECT_EQ(rule_name(taken.rule), "share");
  ASSERT_GT(taken.target, 300 * kMiB);
  balloon(vm(), taken.target, 150 * kMiB);
  budget(4000 * kMiB);
  expect(decide(), taken.target / kMiB, Rule::kLockedOut);
  EXPECT_LT(decide(Time(10'000)).target, taken.target);
}

TEST_F(BalanceLawTest, ALittleIsNotWorthAMove) {
  balloon(vm(), 15 * kMiB, 512 * kMiB);
  expect(decide(), 15, Rule::kDeadBand);
}

TEST_F(BalanceLawTest, AStalledDriverIsLetOffAndNotCountedOn) {
  budget(1400 * kMiB);
  vm().target = 300 * kMiB;
  (void)decide();
  expect(decide(Time(5000)), 300, Rule::kStalled);
  vm().sample->available = 10 * kMiB;
  const Decision decision = decide();
  EXPECT_EQ(rule_name(decision.rule), "guest_needs");
  EXPECT_LT(decision.target, 300 * kMiB);
}

TEST_F(BalanceLawTest, AStalledDriverThatClaimsAnyBalloonGetsNoLargerOne) {
  budget(1400 * kMiB);
  host().available = 0;
  vm().target = 300 * kMiB;
  vm().actual = UINT64_MAX;
  (void)decide();
  EXPECT_LE(decide(Time(5000)).target, 300 * kMiB);
}

TEST_F(BalanceLawTest, EventsOfAScarceHostRaiseTheReserveForAWhile) {
  const std::uint64_t reserve = host().reserve;
  EXPECT_EQ(term(decide(), "host_reserve_bytes"), reserve);
  host().available = 2 * reserve - 1;
  seen.host_pressure = 1;
  EXPECT_NEAR(static_cast<double>(term(decide(), "host_reserve_bytes")), 1.25 * kGiB, kMiB);
  for (int turn = 0; turn < 9; ++turn) (void)decide();
  EXPECT_NEAR(static_cast<double>(term(decide(), "host_reserve_bytes")), 2.0 * kGiB, kMiB);
  seen.host_pressure = 0;
  EXPECT_EQ(term(decide(Time(20'000)), "host_reserve_bytes"), reserve);
}

TEST_F(BalanceLawTest, EventsOfAHostWithPlentyAreNoNews) {
  seen.host_pressure = 10;
  EXPECT_EQ(term(decide(), "host_reserve_bytes"), host().reserve);
}

TEST_F(BalanceLawTest, ANodeThatIsShortBindsItsOwnGuestsOnly) {
  seen.pools.push_back({"node 1", 4 * kGiB, 0, 512 * kMiB, 0});
  vm().node = 1;
  const auto decisions = law.decide(seen);
  EXPECT_GT(decisions[0].target, 0U);
  EXPECT_EQ(decisions[1].target, 0U);
}

TEST_F(BalanceLawTest, WhatIsOnTheHostsSwapIsNotThere) {
  budget(2000 * kMiB);
  const std::uint64_t before = term(decide(), "share_bytes");
  host().swapped += 400 * kMiB;
  EXPECT_NEAR(static_cast<double>(before - term(decide(), "share_bytes")), 200.0 * kMiB, 2 * kMiB);
}

TEST_F(BalanceLawTest, WhatIsFarAboveTheReserveIsPromisedTwice) {
  host() = {"host", 6 * kGiB, 1000 * kMiB, 160 * kMiB, 0};
  vm().resident = other().resident = 300 * kMiB;
  vm().sample->available = other().sample->available = kGiB - 200 * kMiB;
  const std::uint64_t once = 1000 + 600 - 180;
  EXPECT_NEAR(static_cast<double>(term(decide(), "share_bytes")),
              static_cast<double>((once + 1000 - 768) * kMiB / 2), kMiB);
  host().available = 768 * kMiB;
  vm().resident = other().resident = 416 * kMiB;  // they took it
  EXPECT_NEAR(static_cast<double>(term(decide(), "share_bytes")),
              static_cast<double>(once * kMiB / 2), kMiB);
  host().available = 1000 * kMiB;
  host().reserve = 400 * kMiB;
  vm().resident = other().resident = 300 * kMiB;
  EXPECT_NEAR(static_cast<double>(term(decide(), "share_bytes")),
              static_cast<double>((1000 + 600 - 450 + 1000 - 800) * kMiB / 2), kMiB);
}

TEST_F(BalanceLawTest, APoolThatIsNotThereIsNoReasonToStop) {
  vm().pool = 7;
  expect(decide(), 0, Rule::kSettled);
  seen.pools.clear();
  expect(decide(), 0, Rule::kSettled);
}

TEST_F(BalanceLawTest, AVmThatWentAndCameBackIsNew) {
  balloon(vm(), 300 * kMiB, 224 * kMiB);
  (void)decide();
  ++vm().pressure_messages;
  EXPECT_GT(term(decide(), "margin_bytes"), 0U);
  const VmObservation gone = vm();
  seen.vms.erase(seen.vms.begin());
  (void)decide();
  seen.vms.insert(seen.vms.begin(), gone);
  EXPECT_EQ(term(decide(), "margin_bytes"), 0U);
}

TEST(Rules, HaveAWordAndASentence) {
  for (int rule = 0; rule <= static_cast<int>(Rule::kQuiet); ++rule) {
    EXPECT_FALSE(rule_name(static_cast<Rule>(rule)).empty());
    EXPECT_GT(rule_text(static_cast<Rule>(rule)).size(), 10U);
  }
  EXPECT_EQ(rule_name(Rule::kWaiting), "waiting");
  EXPECT_EQ(rule_name(Rule::kQuiet), "quiet");
}

}  // namespace
}  // namespace vballoon::policy
