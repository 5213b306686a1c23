// SPDX-License-Identifier: BSD-3-Clause
//
// Source: docs/policy.md, docs/rpc.md.
#include <gtest/gtest.h>

#include "base/units.hpp"
#include "fake_fleet.hpp"
#include "fake_host.hpp"
#include "policy/balance_law.hpp"
#include "service/rpc/methods.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;
using wire::StatTag;

/// Two guests of 4 GiB on a host of 6 GiB, of which one uses little.
class AutopilotTest : public testing::Test {
 protected:
  AutopilotTest() {
    for (const char* name : {"busy", "idle"}) {
      vm::DeviceReport& vm = fleet_.guest(name);
      vm.guest_bytes = 4 * kGiB;
      vm.resident_bytes = std::string(name) == "busy" ? 4 * kGiB : 2 * kGiB;
      vm.host_page_bytes = kPageSize;
    }
    say("busy", 100 * kMiB);
    say("idle", 3500 * kMiB);
    host_.set_memory(6 * kGiB, 0);
    fleet_.answers_stats = false;
    for (const char* name : {"busy", "idle"}) autopilot_->wish(name, {.automatic = true});
  }
  vm::DeviceReport& vm(const std::string& name) { return fleet_.report(name); }
  void say(const std::string& name, std::uint64_t available) {
    fleet_.answer_stats(name, available);
    auto& sample = vm(name).stats->sample;
    sample.values[static_cast<unsigned>(StatTag::kAvailable)] = available;
    sample.present |= 1U << static_cast<unsigned>(StatTag::kAvailable);
  }

  asio::io_context loop_;
  FakeFleet fleet_;
  FakeHost host_;
  std::unique_ptr<policy::Autopilot> autopilot_ = host_.open(loop_, fleet_);
};

TEST_F(AutopilotTest, TakesWhatTheHostLacksFromWhoCanDoWithout) {
  autopilot_->decide();
  EXPECT_EQ(vm("busy").target_bytes, 0U);
  EXPECT_GT(vm("idle").target_bytes, 1 * kGiB);
  const Json told = autopilot_->explain("idle");
  EXPECT_EQ(told.at("rule"), "host_needs");
  EXPECT_EQ(told.at("target_bytes"), vm("idle").target_bytes);
  EXPECT_EQ(told.at("figures").at("available_bytes"), 3500 * kMiB);
  EXPECT_EQ(told.at("figures").at("host_available_bytes"), 0U);
}

TEST_F(AutopilotTest, WhoIsNotAutomaticIsLeftToAPerson) {
  autopilot_->set_automatic("idle", false);
  vm("idle").target_bytes = 5 * kMiB;
  autopilot_->decide();
  EXPECT_EQ(vm("idle").target_bytes, 5 * kMiB);
  EXPECT_EQ(autopilot_->explain("idle").at("automatic"), false);
  EXPECT_EQ(autopilot_->explain("idle").at("rule"), "manual");
}

TEST_F(AutopilotTest, WhatAPersonSaidOutlivesTheDaemonUntilTheConfigurationChanges) {
  const vm::Settings by_hand{.name = "idle", .socket = "/s"};
  vm::Settings by_itself = by_hand;
  by_itself.automatic = true;
  autopilot_->wish(by_itself);
  EXPECT_TRUE(autopilot_->automatic("idle"));
  autopilot_->set_automatic("idle", false);

  autopilot_ = host_.open(loop_, fleet_);
  autopilot_->wish(by_itself);
  EXPECT_FALSE(autopilot_->automatic("idle"));
  autopilot_->wish(by_hand);
  autopilot_->wish(by_itself);
  EXPECT_TRUE(autopilot_->automatic("idle")) << "the later word is the configuration's";
}

TEST_F(AutopilotTest, AnotherLawIsAskedWhereThatIsConfigured) {
  const auto other = host_.open(loop_, fleet_, "pressure");
  other->wish("idle", {.automatic = true});
  other->decide();
  EXPECT_EQ(vm("idle").target_bytes, 0U) << "nothing shows pressure";
  EXPECT_EQ(other->explain("idle").at("rule"), "quiet");
  EXPECT_EQ(other->show().at("law"), "pressure");
}

/// PSI is compiled out of this host, and it has no cgroup.
TEST_F(AutopilotTest, AHostThatReadsItsSwapIsUnderPressureWhereTheKernelDoesNotTell) {
  host_.set_swapped_in(1000);
  const auto falls_back = host_.open(loop_, fleet_, "pressure", "auto");
  falls_back->wish("idle", {.automatic = true});
  falls_back->decide();
  EXPECT_EQ(vm("idle").target_bytes, 0U) << "that was before";
  host_.set_swapped_in(1001);
  falls_back->decide();
  EXPECT_EQ(vm("idle").target_bytes, 32 * kMiB);
  EXPECT_EQ(falls_back->explain("idle").at("rule"), "host_pressure");
  EXPECT_EQ(falls_back->show().at("host_pressure").at("events"), 1U);
  falls_back->decide();
  EXPECT_EQ(vm("idle").target_bytes, 32 * kMiB) << "nothing more came back";

  const auto deaf = host_.open(loop_, fleet_, "pressure", "none");
  deaf->wish("idle", {.automatic = true});
  deaf->decide();
  host_.set_swapped_in(2000);
  deaf->decide();
  EXPECT_EQ(vm("idle").target_bytes, 32 * kMiB) << "it is not to be listened to";
}

TEST_F(AutopilotTest, ShowsTheHostAndItsVms) {
  autopilot_->decide();
  const Json shown = autopilot_->show();
  EXPECT_EQ(shown.at("pools").at(0).at("total_bytes"), 6 * kGiB);
  EXPECT_EQ(shown.at("vms").size(), 2U);
  EXPECT_EQ(shown.at("host_pressure").at("heard"), false);
  EXPECT_EQ(shown.at("trouble"), "");
}

TEST_F(AutopilotTest, NothingIsKnownOfOneThatIsForgotten) {
  autopilot_->decide();
  autopilot_->forget("idle");
  EXPECT_FALSE(autopilot_->automatic("idle"));
  EXPECT_TRUE(autopilot_->explain("idle").at("rule").is_null());
}

class AutopilotWithABook : public AutopilotTest {
 protected:
  /// The next daemon's.
  void open() {
    autopilot_ = host_.open(
        loop_, fleet_, "balance", "none",
        keep::Book::adopt(policy::BalanceLaw::kForm, UniqueFd::duplicate(book_.fd())).value());
    for (const char* name : {"busy", "idle"}) autopilot_->wish(name, {.automatic = true});
  }
  keep::Book book_ = keep::Book::make(policy::BalanceLaw::kForm).value();
};

TEST_F(AutopilotWithABook, RemembersWhatAnEarlierOneDid) {
  open();
  autopilot_->decide();
  ASSERT_GT(vm("idle").target_bytes, 1 * kGiB);
  // Now there is more than enough. A guest that gave a moment ago, and has what it needs, waits.
  host_.set_memory(64 * kGiB, 60 * kGiB);
  vm("idle").actual_bytes = vm("idle").target_bytes = kGiB;
  say("idle", 3500 * kMiB);
  open();
  autopilot_->decide();
  const Json told = autopilot_->explain("idle");
  EXPECT_EQ(told.at("rule"), "locked_out") << told.dump();
}

TEST_F(AutopilotWithABook, HasNoPageOfAVmThatIsRemoved) {
  open();
  autopilot_->decide();
  EXPECT_NE(book_.find("idle"), nullptr);
  autopilot_->forget("idle");
  EXPECT_EQ(book_.find("idle"), nullptr);
  EXPECT_NE(book_.find("busy"), nullptr);
}

TEST_F(AutopilotWithABook, HasNoPageOfAVmThatIsThereNoMore) {
  keep::PageName* const page = book_.find_free();
  page->set("another");
  open();
  EXPECT_EQ(book_.find("another"), nullptr);
}

TEST_F(AutopilotTest, ACgroupThatIsNotThereIsRefused) {
  policy::PolicyConfig config;
  config.cgroup = "/nowhere/at/all";
  const auto refused = policy::Autopilot::open(loop_, fleet_, config, std::nullopt, host_.paths());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("/nowhere/at/all"), std::string::npos);
  config.cgroup.clear();
  config.host_pressure = "cgroup";
  EXPECT_FALSE(policy::Autopilot::open(loop_, fleet_, config, std::nullopt, host_.paths()));
}

/// Asked for by the clock, and by a message of a guest long before that.
TEST_F(AutopilotTest, TurnsComeByThemselves) {
  const auto by_itself = host_.open(loop_, fleet_);
  by_itself->wish("idle", {.automatic = true});
  by_itself->start();
  vm("idle").pressure_messages = 1;
  loop_.run_for(std::chrono::milliseconds(700));
  EXPECT_EQ(by_itself->show().at("turns"), 1U);
  EXPECT_EQ(fleet_.stats_requests, 1U) << "a guest is asked first";
  loop_.restart();
  loop_.run_for(std::chrono::milliseconds(700));
  EXPECT_EQ(by_itself->show().at("turns"), 2U);
  by_itself->stop();
}

TEST_F(AutopilotTest, AGuestThatCriesOnGetsOneTurnBeforeItsTime) {
  const auto by_itself = host_.open(loop_, fleet_);
  by_itself->wish("idle", {.automatic = true});
  by_itself->start();
  for (int cries = 0; cries < 10; ++cries) {
    ++vm("idle").pressure_messages;
    loop_.run_for(std::chrono::milliseconds(60));
    loop_.restart();
  }
  EXPECT_EQ(by_itself->show().at("turns"), 1U);
  by_itself->stop();
}

TEST_F(AutopilotTest, MethodsRefuseATargetThatTheNextTurnWouldUndo) {
  VmSettings settings(fleet_, *autopilot_);
  Methods methods(loop_, fleet_, *autopilot_, settings, Json::object());
  const auto call = [&](const char* method, Json params) {
    std::optional<rpc::Outcome<rpc::Body>> answer;
    methods.call({1, false, method, std::move(params)}, nullptr,
                 [&](auto outcome) { answer = outcome; });
    return answer.value();
  };
  const Json wanted{{"name", "idle"}, {"target_bytes", kMiB}};
  const auto refused = call("device.set", wanted);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("vballoonctl policy auto idle off"), std::string::npos);
  EXPECT_TRUE(call("policy.auto", {{"name", "idle"}, {"on", false}}));
  EXPECT_TRUE(call("device.set", wanted));
  EXPECT_EQ(Json::parse(call("policy.explain", {{"name", "idle"}}).value().text).at("automatic"),
            false);
  EXPECT_FALSE(call("policy.explain", {{"name", "nobody"}}));
  EXPECT_FALSE(call("policy.auto", {{"name", "nobody"}, {"on", true}}));
  EXPECT_TRUE(call("policy.show", Json::object()));
}

}  // namespace
}  // namespace vballoon::service
