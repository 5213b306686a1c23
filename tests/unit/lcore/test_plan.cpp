// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <algorithm>

#include "lcore/plan.hpp"

namespace vballoon::lcore {
namespace {

using lcore::CpuList;
using lcore::Cpus;
using lcore::Topology;

const Cpus kFour{{0, 1, 2, 3}, {0, 1, 2, 3}, {}};

/// One node, no hyperthreads; what is beyond is a core of its own, too.
const Topology& flat() {
  static const Topology topology = Topology::synthetic("node:1 core:8 pu:1").value();
  return topology;
}

LcoreSettings config_of(Profile profile) {
  LcoreSettings config = default_settings(profile);
  return config;
}

LcorePlan plan_of(const LcoreSettings& config, const Cpus& cpus) {
  auto plan = plan_lcores(config, cpus, flat());
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message);
  return plan.value_or(LcorePlan{});
}

bool has(const std::vector<std::string>& args, const std::string& arg) {
  return std::find(args.begin(), args.end(), arg) != args.end();
}

std::string value_of(const std::vector<std::string>& args, const std::string& option) {
  const auto at = std::find(args.begin(), args.end(), option);
  return at == args.end() ? "" : *(at + 1);
}

TEST(LcorePlan, ProductionTakesTheLastCpusAndLeavesTheOthersAlone) {
  const LcorePlan plan = plan_of(config_of(Profile::kProduction), kFour);
  ASSERT_EQ(plan.poll.size(), 1U);
  EXPECT_EQ(plan.poll[0].id, 3U);
  EXPECT_EQ(plan.poll[0].cpus, (CpuList{3}));
  ASSERT_EQ(plan.reclaim.size(), 1U);
  EXPECT_EQ(plan.reclaim[0].cpus, (CpuList{2}));
  EXPECT_EQ(plan.main.cpus, (CpuList{0, 1}));
  EXPECT_TRUE(plan.pinned);
  EXPECT_EQ(plan.note, "");
}

TEST(LcorePlan, ProductionPrefersAnIsolatedCpu) {
  const Cpus cpus{{0, 1}, {0, 1, 2, 3}, {2, 3}};
  const LcorePlan plan = plan_of(config_of(Profile::kProduction), cpus);
  EXPECT_EQ(plan.poll[0].cpus, (CpuList{2}));
  EXPECT_EQ(plan.main.cpus, (CpuList{0, 1}));
}

TEST(LcorePlan, ReclaimLcoresGetCpusAndIdsOfTheirOwn) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.poll_lcores = {3};
  config.reclaim_lcores = {1, 2};
  const LcorePlan plan = plan_of(config, kFour);
  ASSERT_EQ(plan.reclaim.size(), 2U);
  EXPECT_EQ(plan.reclaim[0].id, 1U);
  EXPECT_EQ(plan.reclaim[1].cpus, (CpuList{2}));
  EXPECT_EQ(plan.main.cpus, (CpuList{0}));
  EXPECT_EQ(value_of(eal_arguments(config, plan), "--lcores"), "0@(0),3@(3),1@(1),2@(2)");
}

TEST(LcorePlan, ReclaimLcoresMayBeNamedWhileThePollLcoreFloats) {
  LcoreSettings config = config_of(Profile::kDevelopment);
  config.reclaim_lcores = {0};
  const LcorePlan plan = plan_of(config, kFour);
  EXPECT_FALSE(plan.pinned);
  EXPECT_EQ(plan.reclaim[0].cpus, (CpuList{0}));
  EXPECT_EQ(plan.poll[0].cpus, (CpuList{1, 2, 3}));
  EXPECT_EQ(plan.main.cpus, (CpuList{1, 2, 3}));
  EXPECT_NE(plan.main.id, plan.poll[0].id);
}

TEST(LcorePlan, NothingOfOursRunsOnANeighboursCpu) {
  LcoreSettings config = config_of(Profile::kDevelopment);
  config.neighbours = {2, 3};
  const LcorePlan floating = plan_of(config, kFour);
  EXPECT_EQ(floating.main.cpus, (CpuList{0, 1}));
  EXPECT_EQ(floating.poll[0].cpus, (CpuList{0, 1}));
  config.neighbours = {0, 1, 2, 3};
  const auto refused = plan_lcores(config, kFour, flat());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("placement.neighbours"), std::string::npos);
}

TEST(LcorePlan, DevelopmentFloats) {
  const LcorePlan plan = plan_of(config_of(Profile::kDevelopment), kFour);
  EXPECT_FALSE(plan.pinned);
  EXPECT_EQ(plan.main.cpus, kFour.allowed);
  ASSERT_EQ(plan.poll.size(), 1U);
  EXPECT_EQ(plan.poll[0].cpus, kFour.allowed);
  EXPECT_NE(plan.poll[0].id, plan.main.id);
  EXPECT_EQ(plan.note, "");
}

TEST(LcorePlan, ListIsStrongerThanDevelopment) {
  LcoreSettings config = config_of(Profile::kDevelopment);
  config.poll_lcores = {1, 2};
  const LcorePlan plan = plan_of(config, kFour);
  EXPECT_TRUE(plan.pinned);
  ASSERT_EQ(plan.poll.size(), 2U);
  EXPECT_EQ(plan.poll[1].cpus, (CpuList{2}));
  EXPECT_EQ(plan.main.cpus, (CpuList{0, 3}));
}

TEST(LcorePlan, OneCpuIsSharedWithAWord) {
  const Cpus one{{5}, {5}, {}};
  const LcorePlan plan = plan_of(config_of(Profile::kProduction), one);
  EXPECT_FALSE(plan.pinned);
  EXPECT_NE(plan.note.find("backoff"), std::string::npos) << plan.note;
}

TEST(LcorePlan, EveryCpuPollingGetsAWord) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.poll_lcores = {0, 1, 2, 3};
  const LcorePlan plan = plan_of(config, kFour);
  EXPECT_EQ(plan.main.cpus, kFour.allowed);
  EXPECT_EQ(plan.main.id, 4U) << "ids stay unique";
  EXPECT_NE(plan.note, "");
}

TEST(LcorePlan, MainLcoreIsObeyed) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.main_lcore = 3;
  const LcorePlan plan = plan_of(config, kFour);
  EXPECT_EQ(plan.main.cpus, (CpuList{3}));
  EXPECT_NE(plan.main.id, plan.poll[0].id);
}

TEST(LcorePlan, RefusesACpuOfSomebodyElse) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.poll_lcores = {9};
  const auto plan = plan_lcores(config, kFour, flat());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "poll.lcores: cpu 9 is not among those this process may use (0-3)");
}

TEST(LcorePlan, RefusesMainOnAPollCpu) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.poll_lcores = {2};
  config.main_lcore = 2;
  EXPECT_FALSE(plan_lcores(config, kFour, flat()));
}

TEST(LcorePlan, CpusBeyondTheIdsOfEalGetAnotherId) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.poll_lcores = {200};
  const Cpus cpus{{0, 200}, {0, 200}, {}};
  const LcorePlan plan = plan_of(config, cpus);
  EXPECT_LT(plan.poll[0].id, kMaxLcores);
  EXPECT_NE(plan.poll[0].id, plan.main.id);
  EXPECT_EQ(plan.poll[0].cpus, (CpuList{200}));
}

TEST(EalArguments, OfProductionUseHugePages) {
  const LcoreSettings config = config_of(Profile::kProduction);
  const auto args = eal_arguments(config, plan_of(config, kFour));
  EXPECT_TRUE(has(args, "--in-memory"));
  EXPECT_FALSE(has(args, "--no-huge"));
  EXPECT_FALSE(has(args, "--no-telemetry"));
  EXPECT_EQ(value_of(args, "--lcores"), "0@(0-1),3@(3),2@(2)");
  EXPECT_EQ(value_of(args, "--main-lcore"), "0");
  EXPECT_EQ(value_of(args, "-m"), "64");
}

TEST(EalArguments, OfDevelopmentUseNone) {
  const LcoreSettings config = config_of(Profile::kDevelopment);
  const auto args = eal_arguments(config, plan_of(config, kFour));
  EXPECT_FALSE(has(args, "--in-memory")) << "it excludes --no-huge";
  EXPECT_TRUE(has(args, "--no-huge"));
  EXPECT_TRUE(has(args, "--no-shconf"));
  EXPECT_TRUE(has(args, "--no-telemetry"));
  EXPECT_EQ(value_of(args, "--lcores"), "0@(0-3),1@(0-3)");
}

TEST(EalArguments, GiveTelemetryAFolderOfItsOwnUnlessTheOperatorDoes) {
  LcoreSettings config = config_of(Profile::kProduction);
  EXPECT_EQ(value_of(eal_arguments(config, plan_of(config, kFour)), "--file-prefix"), "vballoon");
  for (const std::vector<std::string>& own :
       {std::vector<std::string>{"--file-prefix=x"}, {"--file-prefix", "x"}}) {
    config.eal_args = own;
    const auto args = eal_arguments(config, plan_of(config, kFour));
    EXPECT_FALSE(has(args, "vballoon"));
    EXPECT_TRUE(std::equal(own.rbegin(), own.rend(), args.rbegin()));
  }
}

TEST(EalArguments, EndWithTheOperatorsOwn) {
  LcoreSettings config = config_of(Profile::kProduction);
  config.eal_args = {"--foo", "--bar"};
  const auto args = eal_arguments(config, plan_of(config, kFour));
  EXPECT_EQ(args.back(), "--bar");
  EXPECT_TRUE(has(args, "--log-level=lib.vhost.config:warning"));
}

}  // namespace
}  // namespace vballoon::lcore
