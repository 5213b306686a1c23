// SPDX-License-Identifier: BSD-3-Clause
//
// What two looks at a VM differ in is one event each, told once.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/units.hpp"
#include "service/events/watcher.hpp"

namespace vballoon::service {
namespace {

using std::chrono::seconds;

class EventWatcherTest : public testing::Test {
 protected:
  EventWatcherTest() { vm_.name = "vm1"; }

  /// A look after so many seconds. @return the kinds of what happened, in their order.
  std::vector<std::string> after(int time_s) {
    now_ += seconds(time_s);
    news_ = watcher_.look(vms_.empty() ? std::vector{vm_} : vms_, now_);
    std::vector<std::string> kinds;
    for (const News& news : news_) kinds.push_back(news.vm + " " + std::string(news.kind));
    return kinds;
  }
  void runs_with(std::uint64_t target, std::uint64_t actual) {
    vm_.figures.state = vm::State::kRunning;
    vm_.figures.guest_bytes = 1024 * kMiB;
    vm_.figures.target_bytes = target;
    vm_.figures.actual_bytes = actual;
    vm_.figures.ballooned_bytes = actual;
    vm_.figures.reclaimed_bytes = actual;
  }
  using Kinds = std::vector<std::string>;

  EventWatcher watcher_;
  EventWatcher::Clock::time_point now_{seconds(1000)};
  VmLook vm_;
  std::vector<VmLook> vms_;
  std::vector<News> news_;
};

TEST_F(EventWatcherTest, TheFirstLookTellsOnlyWhatOutlivedADaemon) {
  runs_with(64 * kMiB, 0);
  EXPECT_EQ(after(0), Kinds{});
  EventWatcher next;
  vm_.restarts = 2;
  vm_.last_restart_ms = 34;
  const auto news = next.look(std::vector{vm_}, now_);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].kind, "outlived");
  EXPECT_NE(news[0].text.find("34 ms"), std::string::npos);
  EXPECT_TRUE(next.look(std::vector{vm_}, now_).empty()) << "once";
}

TEST_F(EventWatcherTest, EachStateIsToldAsItComes) {
  EXPECT_EQ(after(1), Kinds{});
  const std::pair<vm::State, const char*> states[] = {
      {vm::State::kConnected, "vm1 connected"}, {vm::State::kRunning, "vm1 running"},
      {vm::State::kStopped, "vm1 stopped"},     {vm::State::kRunning, "vm1 running"},
      {vm::State::kBroken, "vm1 broken"},       {vm::State::kSetAside, "vm1 set_aside"},
      {vm::State::kWaiting, "vm1 disconnected"}};
  for (const auto& [state, kind] : states) {
    vm_.figures.state = state;
    EXPECT_EQ(after(1), Kinds{kind});
    EXPECT_EQ(after(1), Kinds{}) << kind << " twice";
  }
}

TEST_F(EventWatcherTest, ABrokenOneIsToldWithItsReason) {
  EXPECT_EQ(after(1), Kinds{});
  vm_.figures.state = vm::State::kBroken;
  vm_.reason = "inflate queue: a chain that loops";
  EXPECT_EQ(after(1), Kinds{"vm1 broken"});
  EXPECT_EQ(news_[0].text, "its balloon does not work: inflate queue: a chain that loops");
}

TEST_F(EventWatcherTest, ATargetIsReachedOnce) {
  runs_with(0, 0);
  EXPECT_EQ(after(1), Kinds{});
  runs_with(64 * kMiB, 10 * kMiB);
  EXPECT_EQ(after(1), Kinds{});
  // Linux is above it by less than a page of its own.
  runs_with(64 * kMiB, 64 * kMiB + 12 * kKiB);
  EXPECT_EQ(after(1), Kinds{"vm1 reached"});
  runs_with(64 * kMiB, 64 * kMiB);
  EXPECT_EQ(after(1), Kinds{}) << "no nearer than before";
  runs_with(32 * kMiB, 32 * kMiB);
  EXPECT_EQ(after(1), Kinds{"vm1 reached"}) << "between two looks";
}

TEST_F(EventWatcherTest, TheWayToATargetThatWasThereBeforeEndsToo) {
  VmLook other;
  other.name = "other";
  vms_ = {other};
  (void)after(1);
  vm_.figures.target_bytes = 64 * kMiB;
  vms_ = {other, vm_};
  EXPECT_EQ(after(1), Kinds{"vm1 added"});
  const auto goes_the_way = [&] {
    runs_with(64 * kMiB, 0);
    vms_ = {other, vm_};
    EXPECT_EQ(after(1), Kinds{"vm1 running"});
    runs_with(64 * kMiB, 64 * kMiB);
    vms_ = {other, vm_};
    EXPECT_EQ(after(1), Kinds{"vm1 reached"});
  };
  goes_the_way();
  vm_.figures = {};
  vm_.figures.target_bytes = 64 * kMiB;
  vms_ = {other, vm_};
  EXPECT_EQ(after(1), Kinds{"vm1 disconnected"});
  goes_the_way();  // the next guest
}

TEST_F(EventWatcherTest, AShareWithoutAGuestIsNoDecision) {
  runs_with(512 * kMiB, 512 * kMiB);
  vm_.automatic = true;
  (void)after(1);
  vm_.figures = {};
  EXPECT_EQ(after(1), Kinds{"vm1 disconnected"});
  runs_with(512 * kMiB, 512 * kMiB);
  EXPECT_EQ(after(1), Kinds{"vm1 running"});
}

TEST_F(EventWatcherTest, ADriverThatDoesNotMoveIsStalledAfterFiveSeconds) {
  runs_with(0, 0);
  (void)after(1);
  runs_with(64 * kMiB, 10 * kMiB);
  EXPECT_EQ(after(1), Kinds{});
  EXPECT_EQ(after(4), Kinds{});
  EXPECT_EQ(after(1), Kinds{"vm1 stalled"});
  EXPECT_EQ(after(60), Kinds{}) << "once";
  runs_with(64 * kMiB, 20 * kMiB);
  EXPECT_EQ(after(1), Kinds{}) << "it goes on";
  EXPECT_EQ(after(5), Kinds{"vm1 stalled"}) << "and stands still again";
  runs_with(64 * kMiB, 64 * kMiB);
  EXPECT_EQ(after(1), Kinds{"vm1 reached"});
}

TEST_F(EventWatcherTest, ADriverThatDoesNotRunIsNotStalled) {
  runs_with(64 * kMiB, 0);
  (void)after(1);
  vm_.figures.state = vm::State::kStopped;
  EXPECT_EQ(after(60), Kinds{"vm1 stopped"});
  EXPECT_EQ(after(60), Kinds{});
  runs_with(64 * kMiB, 0);
  EXPECT_EQ(after(1), Kinds{"vm1 running"}) << "its five seconds begin now";
  EXPECT_EQ(after(5), Kinds{"vm1 stalled"});
}

TEST_F(EventWatcherTest, TheLawsTargetsAreDecisions) {
  runs_with(0, 0);
  vm_.automatic = true;
  vm_.rule = "it has less than it needs";
  (void)after(1);
  runs_with(64 * kMiB, 64 * kMiB);
  EXPECT_EQ(after(1), Kinds{"vm1 policy"}) << "and that it was reached is not told";
  EXPECT_EQ(news_[0].text, "target 64 MiB, was 0 B: it has less than it needs");
}

TEST_F(EventWatcherTest, MuchOfABalloonThatTheHostDoesNotHaveIsToldAfterFiveSeconds) {
  runs_with(256 * kMiB, 256 * kMiB);
  (void)after(1);
  vm_.figures.reclaimed_bytes = 128 * kMiB;
  EXPECT_EQ(after(1), Kinds{});
  EXPECT_EQ(after(4), Kinds{});
  EXPECT_EQ(after(1), Kinds{"vm1 not_reclaimed"});
  EXPECT_EQ(after(9), Kinds{}) << "once";
  vm_.figures.reclaimed_bytes = 200 * kMiB;
  EXPECT_EQ(after(1), Kinds{});
  vm_.figures.reclaimed_bytes = 128 * kMiB;
  EXPECT_EQ(after(1), Kinds{});
  EXPECT_EQ(after(9), Kinds{}) << "it was never much better";
  vm_.figures.reclaimed_bytes = 256 * kMiB;
  EXPECT_EQ(after(1), Kinds{});
  vm_.figures.reclaimed_bytes = 0;
  EXPECT_EQ(after(1), Kinds{});
  EXPECT_EQ(after(5), Kinds{"vm1 not_reclaimed"});
}

TEST_F(EventWatcherTest, VmsComeAndGo) {
  VmLook other;
  other.name = "vm2";
  vms_ = {vm_};
  EXPECT_EQ(after(1), Kinds{});
  vms_ = {vm_, other};
  EXPECT_EQ(after(1), Kinds{"vm2 added"});
  vms_ = {other};
  EXPECT_EQ(after(1), Kinds{"vm1 removed"});
  other.figures.state = vm::State::kConnected;
  vms_ = {other, vm_};
  EXPECT_EQ(after(1), (Kinds{"vm2 connected", "vm1 added"}));
}

}  // namespace
}  // namespace vballoon::service
