// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "service/reload.hpp"
#include "support/another_value.hpp"

namespace vballoon::service {
namespace {

Config with(std::vector<vm::Settings> devices) {
  Config config = default_config(Profile::kProduction);
  config.devices = std::move(devices);
  return config;
}

TEST(Reload, OfTheSameFileDoesNothing) {
  const Config config = with({{"a", "x"}});
  const ReloadPlan plan = plan_reload(config, config, {"a"});
  EXPECT_TRUE(plan.add.empty());
  EXPECT_TRUE(plan.remove.empty());
  EXPECT_TRUE(plan.needs_restart.empty());
  EXPECT_FALSE(plan.stats_interval_changed);
}

TEST(Reload, AddsNewDevicesAndRemovesVanishedOnes) {
  const ReloadPlan plan =
      plan_reload(with({{"a", "x"}, {"b", "y"}}), with({{"b", "y"}, {"c", "z"}}), {"a", "b"});
  EXPECT_EQ(plan.remove, std::vector<std::string>{"a"});
  EXPECT_EQ(plan.add, (std::vector<vm::Settings>{{"c", "z"}}));
}

TEST(Reload, MovesADeviceWhoseSocketChanged) {
  const ReloadPlan plan = plan_reload(with({{"a", "x"}}), with({{"a", "y"}}), {"a"});
  EXPECT_EQ(plan.remove, std::vector<std::string>{"a"});
  EXPECT_EQ(plan.add, (std::vector<vm::Settings>{{"a", "y"}}));
}

TEST(Reload, MovesADeviceWhoseFeaturesChanged) {
  vm::Settings now{"a", "x"};
  now.packed = false;
  const ReloadPlan plan = plan_reload(with({{"a", "x"}}), with({now}), {"a"});
  EXPECT_EQ(plan.remove, std::vector<std::string>{"a"});
  EXPECT_EQ(plan.add, (std::vector<vm::Settings>{now}));
}

TEST(Reload, MovesADeviceWhoseGroupChanged) {
  vm::Settings now{"a", "x"};
  now.group = "tenant";
  const ReloadPlan plan = plan_reload(with({{"a", "x"}}), with({now}), {"a"});
  EXPECT_EQ(plan.remove, std::vector<std::string>{"a"});
  EXPECT_EQ(plan.add, (std::vector<vm::Settings>{now}));
}

TEST(Reload, TakesLiveSettingsOverWithoutTheVmmNoticing) {
  for (const vm::Setting* setting : vm::live_settings()) {
    const vm::Settings now = test::with_another(*setting, {"a", "x"});
    const ReloadPlan plan = plan_reload(with({{"a", "x"}}), with({now}), {"a"});
    EXPECT_TRUE(plan.remove.empty()) << setting->key;
    EXPECT_TRUE(plan.add.empty()) << setting->key;
    EXPECT_EQ(plan.switched, std::vector{now}) << setting->key;
  }
}

TEST(Reload, EveryOtherSettingNeedsANewDevice) {
  for (const vm::Setting& setting : vm::kSettings) {
    if (setting.effect == vm::Effect::kLive) continue;
    const vm::Settings now = test::with_another(setting, {"a", "x"});
    const ReloadPlan plan = plan_reload(with({{"a", "x"}}), with({now}), {"a"});
    EXPECT_EQ(plan.remove, std::vector<std::string>{"a"}) << setting.key;
    EXPECT_EQ(plan.add, std::vector{now}) << setting.key;
    EXPECT_TRUE(plan.switched.empty()) << setting.key;
  }
}

TEST(Reload, LeavesAloneWhatCameByRpc) {
  const ReloadPlan plan = plan_reload(with({}), with({}), {"guest-of-rpc"});
  EXPECT_TRUE(plan.remove.empty());
}

TEST(Reload, BringsBackWhatRpcRemoved) {
  const ReloadPlan plan = plan_reload(with({{"a", "x"}}), with({{"a", "x"}}), {});
  EXPECT_EQ(plan.add, (std::vector<vm::Settings>{{"a", "x"}}));
}

TEST(Reload, TellsWhichKeysNeedARestart) {
  const Config before = with({});
  Config after = before;
  after.memory_mib = 256;
  after.idle = IdleStrategy::kBackoff;
  after.reclaim_lcores = {3};
  after.window_age_ms = 7;
  after.hugetlb_reserve = true;
  after.max_guest_gib = 256;
  after.max_total_gib = 4096;
  after.stats_interval_ms = 500;
  const ReloadPlan plan = plan_reload(before, after, {});
  EXPECT_EQ(plan.needs_restart,
            (std::vector<std::string>{"eal.memory_mib", "poll.idle", "reclaim.lcores",
                                      "reclaim.window_age_ms", "reclaim.hugetlb_reserve",
                                      "limits.max_guest_gib", "limits.max_total_gib"}));
  EXPECT_TRUE(plan.stats_interval_changed);
}

}  // namespace
}  // namespace vballoon::service
