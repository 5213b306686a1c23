// SPDX-License-Identifier: BSD-3-Clause
//
// Source: L. Capitulino, "[RFC 2/2] virtio-balloon: add auto-ballooning support", qemu-devel, May
//         2013: "Algorithm", and the code below it where the two differ.
#include <gtest/gtest.h>

#include "observed.hpp"
#include "policy/pressure_law.hpp"

namespace vballoon::policy {
namespace {

struct PressureLawTest : ::testing::Test {
  Observation seen = host_with({running_vm("a")});
  PressureLaw law{PressureSettings()};

  PressureLawTest() { (void)law.decide(seen); }  // from now on messages count

  VmObservation& vm() { return seen.vms.front(); }
  Decision decide(Time later = Time(1000)) {
    seen.now += later;
    return law.decide(seen).front();
  }
  Decision after_host_events(unsigned events, Time later = Time(1000)) {
    seen.host_pressure = events;
    const Decision decision = decide(later);
    seen.host_pressure = 0;
    return decision;
  }
  Decision after_messages(unsigned messages, Time later = Time(1000)) {
    vm().pressure_messages += messages;
    return decide(later);
  }
  void expect(const Decision& decision, std::uint64_t target, Rule rule) {
    EXPECT_EQ(decision.target / kMiB, target / kMiB);
    EXPECT_EQ(decision.target % kMiB, 0U);
    EXPECT_EQ(rule_name(decision.rule), rule_name(rule));
  }
};

TEST_F(PressureLawTest, WithoutEventsNothingHappens) {
  vm().target = vm().actual = 100 * kMiB;
  expect(decide(), 100 * kMiB, Rule::kQuiet);
}

TEST_F(PressureLawTest, AHostEventIsAStep) {
  expect(after_host_events(1), 32 * kMiB, Rule::kHostPressure);
}

TEST_F(PressureLawTest, TenHostEventsAre320MiB) {
  expect(after_host_events(10), 320 * kMiB, Rule::kHostPressure);
}

TEST_F(PressureLawTest, StepsAddUpWhileTheGuestIsStillInflating) {
  vm().target = 320 * kMiB;
  vm().actual = 40 * kMiB;
  expect(after_host_events(1), 352 * kMiB, Rule::kHostPressure);
}

/// Its guest has pages of 64 KiB: it cannot come any nearer, and nothing is under way.
TEST_F(PressureLawTest, ABalloonThatIsAsNearAsItComesIsAtItsTarget) {
  vm().target = 320 * kMiB;
  vm().actual = vm().target - 60 * kKiB;
  expect(after_messages(1), 288 * kMiB, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, StepsEndAtTheFloor) {
  expect(after_host_events(1000), 896 * kMiB, Rule::kFloor);
  expect(after_host_events(UINT32_MAX), 896 * kMiB, Rule::kFloor);
  vm().limits.floor = 500 * kMiB;
  expect(after_host_events(1000), 524 * kMiB, Rule::kFloor);
}

TEST_F(PressureLawTest, ATargetUnderTheFloorIsGivenBack) {
  vm().target = vm().actual = 1000 * kMiB;
  expect(decide(), 896 * kMiB, Rule::kFloor);
}

TEST_F(PressureLawTest, GuestPressureIsAStepBack) {
  vm().target = vm().actual = 100 * kMiB;
  expect(after_messages(1), 68 * kMiB, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, GuestPressureWithAnEmptyBalloonIsNoStep) {
  expect(after_messages(3), 0, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, TheLastStepBackIsWhatIsLeft) {
  vm().target = vm().actual = 10 * kMiB;
  expect(after_messages(1), 0, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, GuestPressureCancelsTheInflationUnderWay) {
  vm().target = 320 * kMiB;
  vm().actual = 100 * kMiB;
  expect(after_messages(1), 100 * kMiB, Rule::kCancelled);
}

TEST_F(PressureLawTest, AfterTheCancellationFurtherMessagesAreSteps) {
  vm().target = 320 * kMiB;
  vm().actual = 100 * kMiB;
  expect(after_messages(3), 36 * kMiB, Rule::kCancelled);
}

TEST_F(PressureLawTest, ADeflationUnderWayGoesOn) {
  vm().target = 100 * kMiB;
  vm().actual = 320 * kMiB;
  expect(after_messages(1), 68 * kMiB, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, AGuestInPressureIsLeftAloneForSixtySecondsAndNoMore) {
  vm().target = vm().actual = 100 * kMiB;
  vm().target = vm().actual = after_messages(1).target;
  expect(after_host_events(5), 68 * kMiB, Rule::kLeftAlone);
  expect(after_host_events(5, Time(59'000)), 68 * kMiB, Rule::kLeftAlone);  // <= 60 s
  expect(after_host_events(5, Time(1)), 228 * kMiB, Rule::kHostPressure);
}

TEST_F(PressureLawTest, EachMessageBeginsTheSixtySecondsAnew) {
  (void)after_messages(1);
  (void)after_messages(1, Time(59'000));
  expect(after_host_events(1, Time(59'000)), 0, Rule::kLeftAlone);
}

TEST_F(PressureLawTest, WhereBothReportPressureTheGuestIsHeard) {
  vm().target = vm().actual = 100 * kMiB;
  seen.host_pressure = 4;
  expect(after_messages(1), 68 * kMiB, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, SignsOfStatisticsStandForAMessage) {
  vm().target = vm().actual = 100 * kMiB;
  vm().sample->swap_out = 0;
  ++vm().sample->sequence;
  (void)decide();
  vm().sample->swap_out = kMiB;
  ++vm().sample->sequence;
  expect(decide(), 68 * kMiB, Rule::kGuestPressure);
}

TEST_F(PressureLawTest, AManualTargetIsLeftAsItIs) {
  vm().automatic = false;
  vm().target = 1000 * kMiB;
  expect(after_host_events(3), 1000 * kMiB, Rule::kManual);
  expect(after_messages(3), 1000 * kMiB, Rule::kManual);
}

TEST_F(PressureLawTest, NobodyIsInflatedWhoGivesNothing) {
  vm().running = false;
  expect(after_host_events(3), 0, Rule::kNotRunning);
  vm().running = true;
  vm().inhibited = true;
  expect(after_host_events(3), 0, Rule::kInhibited);
  vm().inhibited = false;
  vm().target = 64 * kMiB;
  (void)decide();
  expect(after_host_events(3, Time(5000)), 64 * kMiB, Rule::kStalled);
}

TEST_F(PressureLawTest, AClockThatJumpsLeavesNobodyInPressureForEver) {
  (void)after_messages(1);
  expect(after_host_events(1, Time(-500'000)), 32 * kMiB, Rule::kHostPressure);
  (void)after_messages(1);
  expect(after_host_events(1, Time(3'600'000)), 32 * kMiB, Rule::kHostPressure);
}

TEST_F(PressureLawTest, StepAndTimeAreTheOperators) {
  law = PressureLaw({8 * kMiB, Time(5000)});
  (void)law.decide(seen);
  expect(after_host_events(2), 16 * kMiB, Rule::kHostPressure);
  (void)after_messages(1);
  expect(after_host_events(1, Time(5001)), 8 * kMiB, Rule::kHostPressure);
}

TEST_F(PressureLawTest, ACeilingIsKept) {
  vm().limits.ceiling = 768 * kMiB;
  EXPECT_EQ(decide().target, 256 * kMiB);
}

TEST(WholePages, AreOfTheDevicesUnit) {
  VmObservation vm;
  Decision decision;
  decision.target = 5 * kMiB + 3;
  move_by_whole_pages(vm, &decision);
  EXPECT_EQ(decision.target, 5 * kMiB);
  vm.unit = 2 * kMiB;
  move_by_whole_pages(vm, &decision);
  EXPECT_EQ(decision.target, 4 * kMiB);
  vm.target = decision.target = 3 * kMiB;
  move_by_whole_pages(vm, &decision);
  EXPECT_EQ(decision.target, 3 * kMiB) << "a target that stands is not moved";
}

}  // namespace
}  // namespace vballoon::policy
