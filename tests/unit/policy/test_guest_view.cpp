// SPDX-License-Identifier: BSD-3-Clause
//
// What is believed of a guest: nothing that the host knows better.
#include <gtest/gtest.h>

#include <algorithm>

#include "observed.hpp"
#include "policy/guest_view.hpp"

namespace vballoon::policy {
namespace {

struct GuestViewTest : ::testing::Test {
  Observation seen = host_with({running_vm("a")});
  GuestWatch watch;

  VmObservation& vm() { return seen.vms.front(); }
  GuestSample& sample() { return *vm().sample; }
  GuestView look() { return watch.look(vm(), seen); }
  GuestView look_later(Time later = Time(1000)) {
    seen.now += later;
    if (vm().sample) ++sample().sequence;
    return look();
  }
  static bool has(const GuestView& view, std::string_view sign) {
    return std::find(view.signs.begin(), view.signs.end(), sign) != view.signs.end();
  }
};

TEST_F(GuestViewTest, AnHonestGuestIsBelieved) {
  vm().target = vm().actual = 256 * kMiB;
  sample().available = 300 * kMiB;
  const GuestView view = look();
  EXPECT_TRUE(view.knows);
  EXPECT_FALSE(view.stalled);
  EXPECT_EQ(view.plugged, 768 * kMiB);
  EXPECT_EQ(view.available, 300 * kMiB);
  EXPECT_EQ(view.used, 468 * kMiB);
  EXPECT_EQ(view.pressure, 0U);
  EXPECT_TRUE(view.signs.empty());
}

/// Neither all of it nor nothing stands in for what cannot be.
TEST_F(GuestViewTest, MoreAvailableThanThereIsIsUnknown) {
  for (const std::uint64_t lie : {kGiB + 1, UINT64_MAX}) {
    sample().available = lie;
    const GuestView view = look_later();
    EXPECT_FALSE(view.knows);
    EXPECT_EQ(view.available, 0U);
    EXPECT_EQ(view.used, kGiB);
    EXPECT_TRUE(has(view, "it claims more memory than it has"));
  }
  sample().free = 300 * kMiB;
  const GuestView view = look_later();
  EXPECT_TRUE(view.knows) << "but what it says besides is known";
  EXPECT_EQ(view.available, 300 * kMiB);
}

TEST_F(GuestViewTest, WhatIsInTheBalloonIsNotAvailable) {
  vm().target = vm().actual = 256 * kMiB;
  sample().actual = 256 * kMiB;
  sample().available = 769 * kMiB;
  EXPECT_FALSE(look_later().knows);
  sample().available = 768 * kMiB;
  EXPECT_TRUE(look_later().knows);
}

TEST_F(GuestViewTest, ThatFiguresWereDroppedBeforeIsSaid) {
  sample().available.reset();
  sample().nonsense = true;
  const GuestView view = look();
  EXPECT_FALSE(view.knows);
  EXPECT_TRUE(has(view, "some of what it says cannot be"));
}

TEST_F(GuestViewTest, WithoutAvailableFreeAndHalfOfTheCachesCount) {
  sample().available.reset();
  sample().free = 100 * kMiB;
  sample().caches = 200 * kMiB;
  EXPECT_EQ(look().available, 200 * kMiB);
  sample().free = UINT64_MAX - 1;
  sample().caches = UINT64_MAX;
  EXPECT_FALSE(look_later().knows);
}

TEST_F(GuestViewTest, WithNeitherNothingIsKnown) {
  sample().available.reset();
  sample().caches = kGiB;
  const GuestView view = look();
  EXPECT_FALSE(view.knows);
  EXPECT_EQ(view.used, view.plugged);
}

TEST_F(GuestViewTest, WhatItNeverTouchedItDoesNotUse) {
  vm().resident = 200 * kMiB;
  sample().available = 0;
  const GuestView view = look();
  EXPECT_EQ(view.used, 200 * kMiB);
  EXPECT_EQ(view.available, kGiB - 200 * kMiB);
  EXPECT_TRUE(has(view, "it claims to use more than it ever touched"));
}

TEST_F(GuestViewTest, AnOldSampleIsNone) {
  sample().age = Time(10'000);
  EXPECT_TRUE(look().knows);
  sample().age = Time(10'001);
  EXPECT_FALSE(look_later().knows);
  seen.sample_interval = Time(60'000);
  sample().age = Time(180'000);
  EXPECT_TRUE(look_later().knows);
}

TEST_F(GuestViewTest, CountersThatRiseArePressureOnce) {
  sample().swap_in = 1000;
  sample().swap_out = 500;
  EXPECT_EQ(look().pressure, 0U);  // of the past nothing is known
  sample().swap_out = 700;
  const GuestView view = look_later();
  EXPECT_EQ(view.pressure, 1U);
  EXPECT_EQ(view.swapped, 200U);
  EXPECT_TRUE(has(view, "it swaps"));
  seen.now += Time(1000);
  EXPECT_EQ(look().pressure, 0U);  // the same sample
}

TEST_F(GuestViewTest, CountersThatRunBackwardsCountNothing) {
  sample().swap_in = sample().major_faults = sample().oom_kills = 1'000'000;
  look();
  sample().swap_in = sample().major_faults = sample().oom_kills = 10;
  const GuestView view = look_later();
  EXPECT_EQ(view.pressure, 0U);
  EXPECT_EQ(view.swapped, 0U);
  EXPECT_TRUE(has(view, "a counter ran backwards"));
}

/// virtio-win sends -4096 when its query fails, once.
TEST_F(GuestViewTest, ACounterThatLeapsFurtherThanItCanCountsNothing) {
  sample().swap_in = sample().swap_out = kMiB;
  look();
  sample().swap_in = sample().swap_out = UINT64_MAX - 4095;
  const GuestView view = look_later();
  EXPECT_EQ(view.swapped, 0U);
  EXPECT_EQ(view.pressure, 0U);
  EXPECT_TRUE(has(view, "a counter leapt further than it can"));
  sample().swap_in = sample().swap_out = kMiB;
  EXPECT_EQ(look_later().pressure, 0U) << "nor when it is as it was";
  sample().swap_in = 2 * kMiB;
  EXPECT_EQ(look_later().swapped, kMiB);
}

TEST_F(GuestViewTest, WhatItSwapsIsNoMoreThanTheGuest) {
  sample().swap_in = sample().swap_out = 0;
  look();
  sample().swap_in = sample().swap_out = kGiB + kGiB / 2;
  EXPECT_EQ(look_later().swapped, 2 * kGiB);
}

TEST_F(GuestViewTest, PressureIsSeenAlsoOfAGuestThatDoesNotSayWhatIsAvailable) {
  sample().available.reset();
  sample().swap_in = 0;
  look();
  sample().swap_in = kMiB;
  const GuestView view = look_later();
  EXPECT_FALSE(view.knows);
  EXPECT_EQ(view.pressure, 1U);
}

TEST_F(GuestViewTest, FaultsCountWhereTheyAreMany) {
  sample().major_faults = 0;
  look();
  sample().major_faults = 199;
  EXPECT_EQ(look_later().pressure, 0U);
  sample().major_faults = 399;
  EXPECT_EQ(look_later().pressure, 1U);
}

TEST_F(GuestViewTest, KillsStallsAndEmptinessArePressure) {
  sample().oom_kills = sample().alloc_stalls = 0;
  look();
  sample().oom_kills = 1;
  EXPECT_TRUE(has(look_later(), "it killed a program for memory"));
  sample().alloc_stalls = 1;
  EXPECT_TRUE(has(look_later(), "its programs waited for memory"));
  sample().available = kGiB / 32 - 1;
  EXPECT_TRUE(has(look_later(), "it has almost nothing available"));
}

TEST_F(GuestViewTest, MessagesCountOnceAndNeverMoreThanAHandful) {
  vm().pressure_messages = 100;
  EXPECT_EQ(look().pressure, 0U);  // from before anybody looked
  vm().pressure_messages = 102;
  EXPECT_EQ(look_later().pressure, 2U);
  EXPECT_EQ(look_later().pressure, 0U);
  vm().pressure_messages = 1'000'000;
  EXPECT_EQ(look_later().pressure, 8U);
  vm().pressure_messages = 3;
  EXPECT_EQ(look_later().pressure, 0U);
}

TEST_F(GuestViewTest, ADriverThatMovesNothingIsStalled) {
  vm().target = 512 * kMiB;
  EXPECT_FALSE(look().stalled);
  EXPECT_FALSE(look_later(Time(4999)).stalled);
  EXPECT_TRUE(look_later(Time(1)).stalled);
  vm().actual = 64 * kMiB;
  EXPECT_FALSE(look_later().stalled);
}

TEST_F(GuestViewTest, ADriverThatIsDoneIsNotStalled) {
  vm().target = vm().actual = 512 * kMiB;
  look();
  EXPECT_FALSE(look_later(Time(60'000)).stalled);
}

/// Linux rounds a target up to a page of its own, and stays there.
TEST_F(GuestViewTest, ADriverThatIsAsNearAsItsPagesAllowIsNotStalled) {
  for (const std::uint64_t above : {std::uint64_t{4096}, 12 * kKiB, 60 * kKiB}) {
    vm().target = 423997440;
    vm().actual = vm().target + above;
    look_later();
    EXPECT_FALSE(look_later(Time(60'000)).stalled) << above;
  }
  vm().actual = vm().target + 64 * kKiB;
  look_later();
  EXPECT_TRUE(look_later(Time(60'000)).stalled) << "no page is as large";
}

TEST_F(GuestViewTest, AClockThatRunsBackStallsNobody) {
  vm().target = 512 * kMiB;
  look();
  seen.now -= Time(500'000);
  EXPECT_FALSE(look().stalled);
  EXPECT_TRUE(look_later(Time(5000)).stalled);
}

TEST_F(GuestViewTest, ABalloonLargerThanTheGuestLeavesNothing) {
  vm().actual = UINT64_MAX;
  const GuestView view = look();
  EXPECT_EQ(view.plugged, 0U);
  EXPECT_EQ(view.used, 0U);
}

TEST_F(GuestViewTest, ADriverThatOnlyWaversIsStalled) {
  vm().target = 512 * kMiB;
  vm().actual = 100 * kMiB;
  (void)look();
  bool stalled = false;
  for (int turn = 0; turn < 12; ++turn) {
    vm().actual = (turn % 2 == 0 ? 90 : 100) * kMiB + kPageSize;
    stalled = look_later().stalled;
  }
  EXPECT_TRUE(stalled);
}

TEST_F(GuestViewTest, ADriverThatCrawlsIsNot) {
  vm().target = 512 * kMiB;
  (void)look();
  for (int turn = 0; turn < 20; ++turn) {
    vm().actual += kMiB / 4;
    EXPECT_FALSE(look_later().stalled) << turn;
  }
}

TEST_F(GuestViewTest, OneThatIsLetOffIsStalledForAMinuteOrUntilItMoves) {
  vm().target = 512 * kMiB;
  (void)look();
  EXPECT_TRUE(look_later(Time(5000)).stalled);
  vm().target = 0;
  EXPECT_TRUE(look_later(Time(1000)).stalled);
  vm().target = 512 * kMiB;
  EXPECT_TRUE(look_later(Time(1000)).stalled);
  vm().actual = 32 * kMiB;
  EXPECT_FALSE(look_later(Time(1000)).stalled);
  EXPECT_TRUE(look_later(Time(5000)).stalled);
  vm().target = 32 * kMiB;
  EXPECT_TRUE(look_later(Time(59'000)).stalled);
  EXPECT_FALSE(look_later(Time(1000)).stalled);
}

TEST_F(GuestViewTest, ASampleIsOfTheBalloonOfItsMoment) {
  (void)look();
  vm().target = vm().actual = 300 * kMiB;
  sample().actual = 100 * kMiB;  // when it answered
  sample().available = 500 * kMiB;
  const GuestView view = look_later();
  EXPECT_EQ(view.used, 424 * kMiB);
  EXPECT_EQ(view.available, 300 * kMiB);
}

TEST_F(GuestViewTest, WhereTheBalloonMovedAndWasNotNotedItUsesWhatItUsed) {
  (void)look();  // 512 MiB
  vm().target = vm().actual = 300 * kMiB;
  EXPECT_EQ(look_later().used, 512 * kMiB);  // 212 to 512 fits
  vm().target = vm().actual = 0;
  sample().available = 100 * kMiB;
  EXPECT_EQ(look_later().used, 624 * kMiB);  // 624 to 924: the nearest
  EXPECT_EQ(look_later().used, 924 * kMiB);  // the balloon stood still
}

TEST_F(GuestViewTest, AnotherDriverStartsFromNothing) {
  sample().swap_in = 0;
  look();
  vm().running = false;
  EXPECT_FALSE(look_later().knows);
  vm().running = true;
  sample().swap_in = 5000;
  EXPECT_EQ(look_later().pressure, 0U);
}

TEST_F(GuestViewTest, AGuestThatGrewIsAnother) {
  sample().swap_in = 0;
  look();
  vm().guest = vm().table = 2 * kGiB;
  sample().swap_in = 5000;
  EXPECT_EQ(look_later().pressure, 0U);
}

/// As it says itself, and could say anew each time: nothing is forgotten of it.
TEST_F(GuestViewTest, AGuestThatSaysAnotherSizeIsTheSame) {
  vm().table = 4 * kGiB;
  vm().target = 512 * kMiB;
  for (int turn = 0; turn < 6; ++turn) {
    (void)look_later();
    vm().guest += kMiB;
  }
  EXPECT_TRUE(look_later().stalled);
}

TEST(Limits, HaveDefaultsAndNeverCross) {
  VmObservation vm = running_vm("a");
  EXPECT_EQ(floor_of(vm), 128 * kMiB);
  EXPECT_EQ(ceiling_of(vm), kGiB);
  vm.guest = 256 * kMiB;
  EXPECT_EQ(floor_of(vm), 64 * kMiB);
  vm.guest = 32 * kMiB;
  EXPECT_EQ(floor_of(vm), 32 * kMiB);
  vm.guest = kGiB;
  vm.limits.ceiling = 100 * kMiB;
  vm.limits.floor = 500 * kMiB;
  EXPECT_EQ(floor_of(vm), 100 * kMiB);
  vm.limits.ceiling = 5 * kGiB;
  EXPECT_EQ(ceiling_of(vm), kGiB);
}

}  // namespace
}  // namespace vballoon::policy
