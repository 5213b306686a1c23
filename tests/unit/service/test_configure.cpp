// SPDX-License-Identifier: BSD-3-Clause
//
// Settings of a VM that change while it is served: by RPC, and by a configuration that is reread.
// Source: docs/rpc.md, device.configure.
#include <gtest/gtest.h>

#include "methods_fixture.hpp"
#include "service/rpc/settings_json.hpp"
#include "support/another_value.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

Json settings_json(const vm::Settings& settings) {
  rpc::JsonWriter out;
  write_settings(settings, &out);
  return Json::parse(out.take());
}

class Configure : public MethodsFixture {
 protected:
  Configure() { add(kConfigured); }

  void add(const vm::Settings& settings) {
    ASSERT_TRUE(fleet_.add(settings));
    settings_.begin(settings, true);
  }
  rpc::Outcome<Json> call_of_vm1(const char* method, Json params) {
    params["name"] = "vm1";
    return call(method, std::move(params));
  }
  Json configure(Json params) {
    const auto outcome = call_of_vm1("device.configure", std::move(params));
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
    return outcome.value_or(Json());
  }
  std::string refused(Json params) {
    const auto outcome = call_of_vm1("device.configure", std::move(params));
    EXPECT_FALSE(outcome);
    if (outcome) return "";
    EXPECT_EQ(outcome.error().code, rpc::kInvalidParams);
    return outcome.error().message;
  }
  Json shown() {
    return call_of_vm1("device.show", Json::object()).value_or(Json()).at("settings");
  }

  const vm::Settings kConfigured{"vm1", "/run/vm1.sock"};
};

TEST_F(Configure, EverySettingIsShown) {
  EXPECT_EQ(shown(), settings_json(kConfigured));
  EXPECT_EQ(shown().size(), vm::kSettings.size());
}

TEST_F(Configure, EveryLiveSettingChangesAtOnceAndAlone) {
  for (const vm::Setting* setting : vm::live_settings()) {
    const vm::Settings before = settings_.of("vm1");
    const vm::Settings after = test::with_another(*setting, before);
    const std::string key(setting->key);
    const Json result = configure({{key, settings_json(after).at(key)}});
    EXPECT_EQ(result.at("settings"), settings_json(after)) << key;
    EXPECT_EQ(result.at("warnings"), Json::array()) << key;
    EXPECT_EQ(shown(), settings_json(after)) << key;
  }
}

TEST_F(Configure, WhatIsSetHasItsEffect) {
  configure({{"prefault", true}, {"reporting", false}, {"automatic", true}, {"effort", 2U}});
  EXPECT_EQ(fleet_.vm("vm1").efforts, (std::vector<std::uint64_t>{2}));
  const vm::DeviceReport& device = fleet_.report("vm1");
  EXPECT_TRUE(device.prefault);
  EXPECT_FALSE(device.reporting);
  EXPECT_TRUE(autopilot_->automatic("vm1"));
  EXPECT_TRUE(fleet_.words.at("vm1").on) << "for the next daemon, too";
}

TEST_F(Configure, WhatIsNotLiveIsRefusedWithTheWayOutAndNothingIsChanged) {
  for (const vm::Setting& setting : vm::kSettings) {
    if (setting.effect == vm::Effect::kLive || setting.source != vm::Source::kAnybody) continue;
    const std::string key(setting.key);
    const Json value = settings_json(test::with_another(setting, kConfigured)).at(key);
    const std::string said = refused({{"prefault", true}, {"weight", 7U}, {key, value}});
    EXPECT_NE(said.find("'" + key + "' cannot change while vm1 is served"), std::string::npos);
    EXPECT_NE(said.find("vballoonctl add -k " + key + "="), std::string::npos) << said;
    EXPECT_EQ(shown(), settings_json(kConfigured)) << key;
    EXPECT_FALSE(fleet_.report("vm1").prefault);
  }
}

TEST_F(Configure, WhatCannotBeIsRefused) {
  EXPECT_EQ(refused({{"weight", 0U}}),
            "device.configure: 'weight' must be a whole number from 1 to 10000");
  EXPECT_EQ(refused({{"reporting", "on"}}), "device.configure: 'reporting' must be true or false");
  EXPECT_EQ(refused({{"wieght", 1U}}),
            "device.configure: unknown parameter 'wieght'; did you mean 'weight'?");
  EXPECT_EQ(refused({{"group", "kvm"}}),
            "device.configure: 'group' is set in the configuration only");
  EXPECT_EQ(refused(Json::object()),
            "device.configure needs a setting beside 'name', as in \"weight\": 200");
}

TEST_F(Configure, LimitsGoTogetherWithThoseThatAreThere) {
  configure({{"ceiling_mib", 100U}});
  EXPECT_NE(refused({{"floor_mib", 101U}}).find("'floor_mib' (101) is above 'ceiling_mib' (100)"),
            std::string::npos);
  EXPECT_EQ(configure({{"floor_mib", 200U}, {"ceiling_mib", 300U}}).at("settings").at("floor_mib"),
            200);
}

TEST_F(Configure, ADeviceThatIsNotThereIsNotFound) {
  ASSERT_TRUE(call_of_vm1("device.remove", Json::object()));
  EXPECT_EQ(call_of_vm1("device.configure", {{"weight", 7U}}).error().code, rpc::kNotFound);
}

TEST_F(Configure, ADeviceOfTheSameNameBeginsAnew) {
  configure({{"weight", 7U}});
  ASSERT_TRUE(call_of_vm1("device.remove", Json::object()));
  add(kConfigured);
  EXPECT_EQ(shown().at("weight"), 100);
}

TEST_F(Configure, TheSwitchesOfTheirOwnMethodsAreTheSameSettings) {
  ASSERT_TRUE(call_of_vm1("device.prefault", {{"on", true}}));
  ASSERT_TRUE(call_of_vm1("device.reporting", {{"on", false}}));
  ASSERT_TRUE(call_of_vm1("policy.auto", {{"on", true}}));
  EXPECT_EQ(shown().at("prefault"), true);
  EXPECT_EQ(shown().at("reporting"), false);
  EXPECT_EQ(shown().at("automatic"), true);
}

TEST_F(Configure, AWishWithoutEffectIsTakenAndSaid) {
  fleet_.why_no_prefault = "another memory cgroup";
  const Json result = configure({{"prefault", true}, {"weight", 7U}});
  EXPECT_EQ(result.at("warnings"), Json({"another memory cgroup"}));
  EXPECT_EQ(shown().at("prefault"), true);
  EXPECT_EQ(shown().at("weight"), 7);
  EXPECT_EQ(call_of_vm1("device.prefault", {{"on", true}}).error().code, rpc::kUnavailable);
}

TEST_F(Configure, IsSaidNotToBeKeptWhereThatIsSo) {
  fleet_.why_not_kept = "no space left";
  EXPECT_EQ(configure({{"automatic", true}}).at("warnings"),
            Json({"kept only as long as this daemon runs: no space left"}));
  EXPECT_EQ(configure({{"weight", 7U}}).at("warnings"), Json::array())
      << "that would not be kept in any case";
}

TEST_F(Configure, AConfigurationThatChangedIsTakenOverWhole) {
  configure({{"prefault", true}, {"weight", 7U}, {"ceiling_mib", 9U}});
  vm::Settings now = kConfigured;
  now.floor_mib = 64;
  EXPECT_FALSE(settings_.take_over(now).no_effect);
  EXPECT_EQ(shown(), settings_json(now));
  EXPECT_FALSE(fleet_.report("vm1").prefault);
}

TEST_F(Configure, APersonsAutomaticHoldsUntilTheConfigurationsChanges) {
  configure({{"automatic", true}});
  vm::Settings now = kConfigured;
  now.weight = 7;
  EXPECT_TRUE(settings_.take_over(now).now.automatic);
  configure({{"weight", 8U}});
  EXPECT_EQ(shown().at("automatic"), true);
  now.automatic = true;
  settings_.take_over(now);
  now.automatic = false;
  EXPECT_FALSE(settings_.take_over(now).now.automatic);
}

TEST_F(Configure, TheNextDaemonIsToKnowWhatWasChanged) {
  EXPECT_EQ(fleet_.settings_kept.at("vm1"), (vm::KeptSettings{true, kConfigured, kConfigured}));
  configure({{"weight", 7U}});
  vm::KeptSettings kept{true, kConfigured, kConfigured};
  kept.now.weight = 7;
  EXPECT_EQ(fleet_.settings_kept.at("vm1"), kept);
}

TEST_F(Configure, WhatWasChangedInAnEarlierDaemonIsChanged) {
  vm::KeptSettings kept{true, kConfigured, kConfigured};
  kept.now.weight = 7;
  kept.now.reporting = false;
  settings_.resume(kept);
  EXPECT_EQ(shown(), settings_json(kept.now));
  EXPECT_FALSE(fleet_.report("vm1").reporting);
  EXPECT_EQ(fleet_.settings_kept.at("vm1"), kept);
}

}  // namespace
}  // namespace vballoon::service
