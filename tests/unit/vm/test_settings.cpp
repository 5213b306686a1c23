// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/another_value.hpp"
#include "vm/settings.hpp"

namespace vballoon::vm {
namespace {

const Settings kPlain{"vm1", "/run/vm1.sock"};

std::string fault(std::string_view text) {
  const auto assignment = parse_assignment(text);
  return assignment ? "" : assignment.error().message;
}

TEST(SettingsTable, HasEachKeyAndEachFieldOnce) {
  std::set<std::string_view> keys;
  Settings changed = kPlain;
  for (const Setting& setting : kSettings) {
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    EXPECT_EQ(get(setting, changed), get(setting, kPlain)) << setting.key << " has another's field";
    put(setting, test::another_value(setting, changed), &changed);
    EXPECT_NE(get(setting, changed), get(setting, kPlain)) << setting.key;
  }
}

TEST(SettingsTable, SaysOfEachSettingWhatItIs) {
  for (const Setting& setting : kSettings) {
    EXPECT_TRUE(setting.about.ends_with('.')) << setting.key;
    EXPECT_TRUE(setting.more.empty() || setting.more.ends_with('.')) << setting.key;
    EXPECT_LE(setting.about.size(), 90U) << setting.key << ": it is shown in one line";
    EXPECT_EQ(find_setting(setting.key), &setting);
  }
  EXPECT_EQ(find_setting("name"), nullptr);
}

TEST(SettingsTable, HasDefaultsWithinTheRanges) {
  for (const Setting& setting : kSettings) {
    EXPECT_EQ(parse(setting, text_of(get(setting, kPlain))), get(setting, kPlain)) << setting.key;
  }
}

TEST(SettingsTable, WritesEachValueAsItIsRead) {
  for (const Setting& setting : kSettings) {
    const Value value = test::another_value(setting, kPlain);
    const auto assignment = parse_assignment(std::string(setting.key) + "=" + text_of(value));
    ASSERT_TRUE(assignment) << setting.key;
    EXPECT_EQ(assignment->setting, &setting);
    EXPECT_EQ(assignment->value, value);
  }
}

TEST(SettingsTable, NeedsANewDeviceForWhatIsNotLiveAndForNothingElse) {
  EXPECT_FALSE(needs_new_device(kPlain, kPlain));
  for (const Setting& setting : kSettings) {
    EXPECT_EQ(needs_new_device(kPlain, test::with_another(setting, kPlain)),
              setting.effect == Effect::kNewDevice)
        << setting.key;
  }
  EXPECT_TRUE(needs_new_device(kPlain, {"vm2", "/run/vm1.sock"}));
  EXPECT_TRUE(needs_new_device(kPlain, {"vm1", "/run/vm2.sock"}));
  EXPECT_TRUE(needs_new_device(kPlain, {"vm1", "/run/vm1.sock", true}));
}

TEST(SettingsTable, ListsWhatIsLive) {
  const Rows live = live_settings();
  for (const Setting& setting : kSettings) {
    const bool listed = std::find(live.begin(), live.end(), &setting) != live.end();
    EXPECT_EQ(listed, setting.effect == Effect::kLive) << setting.key;
  }
  EXPECT_EQ(text_of({&setting_named("prefault"), &setting_named("weight")}, kPlain),
            "prefault=false, weight=100");
}

TEST(Assignment, TakesSwitchesInWordsOfPeople) {
  for (const char* text : {"automatic=true", "automatic=on"}) {
    EXPECT_EQ(parse_assignment(text)->value, Value(true)) << text;
  }
  for (const char* text : {"automatic=false", "automatic=off"}) {
    EXPECT_EQ(parse_assignment(text)->value, Value(false)) << text;
  }
  EXPECT_EQ(parse_assignment("group=a=b")->value, Value(std::string("a=b")));
}

TEST(Assignment, SaysWhatIsWrong) {
  for (const char* text : {"", "automatic", "=true", "automatic="}) {
    EXPECT_EQ(fault(text), "'" + std::string(text) + "' is not KEY=VALUE, as in automatic=true");
  }
  EXPECT_EQ(fault("wieght=3"), "unknown setting 'wieght'; did you mean 'weight'?");
  EXPECT_EQ(fault("automatic=yes"), "'automatic' must be true or false, not 'yes'");
  EXPECT_EQ(fault("weight=0"), "'weight' must be a whole number from 1 to 10000, not '0'");
  EXPECT_EQ(fault("weight=10001"), "'weight' must be a whole number from 1 to 10000, not '10001'");
  for (const char* text : {"-1", "1.5", "1G", "0x10", " 1", "1 ", "99999999999999999999"}) {
    EXPECT_EQ(fault(std::string("floor_mib=") + text),
              "'floor_mib' must be a whole number of MiB from 0 to 1073741824, not '" +
                  std::string(text) + "'");
  }
}

TEST(Assignment, TakesOneOfTheWords) {
  EXPECT_EQ(parse_assignment("kind=large")->value, Value(std::string("large")));
  EXPECT_EQ(parse_assignment("page_sizes=4K,2M")->value, Value(std::string("4K,2M")));
  EXPECT_EQ(fault("kind=huge"), "'kind' must be \"stock\" or \"large\", not 'huge'");
  EXPECT_EQ(fault("page_sizes=2m"),
            "'page_sizes' must be \"2M\", \"4K,2M\", \"4K,2M,1G\", \"2M,1G\", \"1G\", \"4K\" or "
            "\"4K,1G\", not '2m'");
  EXPECT_EQ(fault("effort=3"), "'effort' must be a whole number from 0 to 2, not '3'");
}

TEST(SettingsCheck, NothingOfTheStockBalloonAloneGoesWithLargePages) {
  Settings settings = kPlain;
  settings.kind = kLarge;
  EXPECT_TRUE(check(settings));
  settings.message_queue = true;
  EXPECT_EQ(check(settings).error().message,
            "'message_queue' is of the stock balloon, and 'kind' is \"large\"");
  settings.kind = kStock;
  EXPECT_TRUE(check(settings));
}

TEST(SettingsCheck, ANodeIsANumberOrNone) {
  Settings settings = kPlain;
  for (const char* node : {"", "0", "7", "1023"}) {
    settings.node = node;
    EXPECT_TRUE(check(settings)) << node;
  }
  for (const char* node : {"1024", "-1", "x", "1 ", "0x1", "99999999999"}) {
    settings.node = node;
    EXPECT_EQ(
        check(settings).error().message,
        std::string("'node' must be a whole number from 0 to 1023, or empty, not '") + node + "'");
  }
}

TEST(SettingsLimits, AFloorIsNotAboveTheCeiling) {
  Settings settings = kPlain;
  settings.floor_mib = 9;
  EXPECT_TRUE(check(settings)) << "a ceiling of 0 is none";
  settings.ceiling_mib = 9;
  EXPECT_TRUE(check(settings));
  settings.ceiling_mib = 8;
  EXPECT_EQ(check(settings).error().message, "'floor_mib' (9) is above 'ceiling_mib' (8)");
}

}  // namespace
}  // namespace vballoon::vm
