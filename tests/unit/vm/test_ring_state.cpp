// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_ring_state.cpp - the stages of a ring, and what a message makes of each.
#include <gtest/gtest.h>

#include "vm/ring_state.hpp"

namespace vballoon::vm {
namespace {

using Stage = RingState::Stage;
using wire::Role;

RingState served() {
  RingState ring;
  ring.announce();
  ring.start(Role::kDeflate);
  return ring;
}

TEST(RingStates, AFrontEndSetsItUpAndTakesItAway) {
  RingState ring;
  EXPECT_EQ(ring.stage(), Stage::kAbsent);
  EXPECT_FALSE(ring.ready());
  ring.announce();
  EXPECT_EQ(ring.stage(), Stage::kReady);
  EXPECT_TRUE(ring.ready());
  EXPECT_FALSE(ring.begun());
  ring.withdraw();
  EXPECT_EQ(ring.stage(), Stage::kAbsent);
}

TEST(RingStates, OneThatIsServedStaysReadyWhenItStopsAndSaysWhere) {
  RingState ring = served();
  EXPECT_TRUE(ring.served());
  EXPECT_TRUE(ring.ready());
  EXPECT_TRUE(ring.begun());
  EXPECT_EQ(ring.role(), Role::kDeflate);
  EXPECT_EQ(ring.stopped_at(), std::nullopt);
  ring.announce();  // as librte_vhost does with every SET_VRING_CALL
  EXPECT_TRUE(ring.served());
  ring.stop(17);
  EXPECT_EQ(ring.stage(), Stage::kReady);
  EXPECT_EQ(ring.stopped_at(), 17);
  ring.forget_position();
  EXPECT_EQ(ring.stopped_at(), std::nullopt);
  EXPECT_TRUE(ring.begun());
}

TEST(RingStates, OneThatIsSuspendedIsStoppedOnceTheMessageIsDealtWith) {
  RingState ring = served();
  ring.suspend(3);
  EXPECT_TRUE(ring.suspended());
  EXPECT_TRUE(ring.ready());
  EXPECT_EQ(ring.stopped_at(), 3);
  ring.settle();
  EXPECT_EQ(ring.stage(), Stage::kReady);
  ring.settle();
  EXPECT_EQ(ring.stage(), Stage::kReady);
}

TEST(RingStates, TheMessageThatSuspendsItMayTakeItAwayAndGiveItBack) {
  RingState ring = served();
  ring.suspend(3);
  ring.withdraw();
  EXPECT_FALSE(ring.ready());
  EXPECT_TRUE(ring.suspended()) << "it stands still for no longer than the message takes";
  ring.announce();
  EXPECT_EQ(ring.stage(), Stage::kSuspended);
  ring.withdraw();
  ring.settle();
  EXPECT_EQ(ring.stage(), Stage::kAbsent) << "it stayed away";
  ring.announce();
  EXPECT_FALSE(ring.suspended()) << "and comes back as any other";
}

/// Otherwise a later reset would look like a short halt.
TEST(RingStates, OneThatGoesOnIsSuspendedNoLonger) {
  RingState ring = served();
  ring.suspend(0);
  ring.start(Role::kDeflate);
  EXPECT_FALSE(ring.suspended());
  ring.stop(0);
  EXPECT_FALSE(ring.suspended());
}

TEST(RingStates, OneThatIsOverHearsNothingBeforeItsNextKick) {
  RingState ring = served();
  ring.stop(9);
  ring.end();
  EXPECT_EQ(ring.stage(), Stage::kOver);
  ring.announce();
  ring.withdraw();
  ring.settle();
  ring.announce();
  EXPECT_EQ(ring.stage(), Stage::kOver);
  EXPECT_FALSE(ring.ready());
  ring.kick();
  EXPECT_EQ(ring.stage(), Stage::kAbsent);
  ring.announce();
  EXPECT_TRUE(ring.ready());
}

TEST(RingStates, WhatIsNotThereDoesNotEndAndAKickChangesNoOther) {
  RingState ring;
  ring.end();
  EXPECT_EQ(ring.stage(), Stage::kAbsent);
  ring.announce();
  ring.kick();
  EXPECT_EQ(ring.stage(), Stage::kReady);
  ring.start(Role::kStats);
  ring.suspend(1);
  ring.kick();
  EXPECT_EQ(ring.stage(), Stage::kSuspended);
  ring.end();
  EXPECT_EQ(ring.stage(), Stage::kOver);
}

TEST(RingStates, AGapIsARingThatIsNotThereBehindDeflate) {
  Rings rings{};
  EXPECT_FALSE(gap_below(rings, 0));
  EXPECT_FALSE(gap_below(rings, 2)) << "inflate and deflate do not count";
  EXPECT_TRUE(gap_below(rings, 3));
  rings[2].announce();
  EXPECT_FALSE(gap_below(rings, 3));
  EXPECT_TRUE(gap_below(rings, 4));
  rings[3].announce();
  EXPECT_FALSE(gap_below(rings, 4));
  rings[2].end();
  EXPECT_TRUE(gap_below(rings, 4)) << "over";
}

TEST(RingStates, OneThatADaemonBeforeServedGoesOnWhenItIsThere) {
  RingState ring;
  ring.announce();
  ring.take_up({.generation = 4, .begun = true, .served = true, .stopped_at = 9});
  EXPECT_EQ(ring.stage(), Stage::kSuspended);
  EXPECT_TRUE(ring.begun());
  EXPECT_EQ(ring.generation(), 4U);
  EXPECT_EQ(ring.stopped_at(), 9);
  RingState away;
  away.take_up({.generation = 4, .begun = true, .served = true, .stopped_at = 9});
  EXPECT_EQ(away.stage(), Stage::kWithdrawn);
  away.settle();
  EXPECT_EQ(away.stage(), Stage::kAbsent);
}

TEST(RingStates, OneThatADaemonBeforeLeftAloneIsLeftAloneUntilItsNextKick) {
  RingState ring;
  ring.announce();
  ring.take_up({.generation = 2, .begun = true, .over = true, .served = true, .stopped_at = 3});
  EXPECT_TRUE(ring.over());
  ring.announce();
  EXPECT_FALSE(ring.ready());
  ring.kick();
  ring.announce();
  EXPECT_TRUE(ring.ready());
}

TEST(RingStates, OneThatADaemonBeforeDidNotServeIsAsItIsAnnounced) {
  RingState ring;
  ring.announce();
  ring.take_up({.generation = 2, .begun = false, .stopped_at = {}});
  EXPECT_EQ(ring.stage(), Stage::kReady);
  EXPECT_FALSE(ring.begun());
}

TEST(RingStates, MarksOfAnEarlierConnectionAreNoneOfThisOne) {
  RingState ring;
  ring.renew_after(7);
  EXPECT_EQ(ring.generation(), 8U);
  ring.renew();
  EXPECT_EQ(ring.generation(), 9U);
}

TEST(RingStatesDeathTest, AServedRingIsStoppedBeforeItIsTakenAway) {
  EXPECT_DEATH(served().withdraw(), "served");
  EXPECT_DEATH(served().end(), "served");
  EXPECT_DEATH(RingState().start(Role::kInflate), "ready");
  EXPECT_DEATH(RingState().stop(0), "served");
}

}  // namespace
}  // namespace vballoon::vm
