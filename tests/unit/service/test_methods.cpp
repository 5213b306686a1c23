// SPDX-License-Identifier: BSD-3-Clause
//
// Source: docs/rpc.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/units.hpp"
#include "methods_fixture.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

class MethodsTest : public MethodsFixture {
 protected:
  Json result(const char* method, Json params = Json::object()) {
    auto outcome = call(method, std::move(params));
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
    return outcome.value_or(Json());
  }
  rpc::Error error(const char* method, Json params = Json::object()) {
    auto outcome = call(method, std::move(params));
    EXPECT_FALSE(outcome);
    return outcome ? rpc::Error{0, ""} : outcome.error();
  }
};

TEST_F(MethodsTest, VersionIsWhatWasGiven) {
  EXPECT_EQ(result("version").at("version"), "1.2.3");
}

TEST_F(MethodsTest, ListIsEmptyAtFirst) {
  EXPECT_EQ(result("device.list").dump(), R"({"devices":[],"warnings":[]})");
}

TEST_F(MethodsTest, ListHasARowPerDeviceInOrder) {
  fleet_.guest("b");
  fleet_.guest("a");
  const Json devices = result("device.list").at("devices");
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].at("name"), "b");
  EXPECT_EQ(devices[1].at("name"), "a");
  EXPECT_EQ(devices[0].at("guest_bytes"), kGiB);
  EXPECT_EQ(devices[0].at("state"), "running");
}

TEST_F(MethodsTest, ShowHasEveryDocumentedField) {
  result("device.add", {{"name", "vm1"}, {"socket", "/tmp/a"}, {"mode", "client"}});
  auto& device = fleet_.report("vm1");
  device.ballooned_bytes = 8 * kMiB;
  device.reclaimed_bytes = 5 * kMiB;
  device.stranded_bytes = 3 * kMiB;
  device.acked = wire::Features{}.with(wire::Feature::kStatsVq);
  device.queues.push_back({2, "stats", "broken", "why", 128, 7});
  device.counters.push_back({"bad_pfns", 5});
  fleet_.answer_stats("vm1", 77);
  const Json json = result("device.show", {{"name", "vm1"}});
  for (const char* field : {"name",
                            "socket",
                            "mode",
                            "lcore",
                            "state",
                            "reason",
                            "guest_bytes",
                            "target_bytes",
                            "target_share",
                            "wanted_bytes",
                            "forced",
                            "kept",
                            "why_not_kept",
                            "actual_bytes",
                            "ballooned_bytes",
                            "reclaimed_bytes",
                            "discarded_bytes",
                            "reported_bytes",
                            "stranded_bytes",
                            "resident_bytes",
                            "automatic",
                            "inhibited",
                            "prefault",
                            "no_prefault",
                            "reporting",
                            "poison_value",
                            "driver",
                            "never_huge_bytes",
                            "hints",
                            "features",
                            "queues",
                            "settings",
                            "counters",
                            "stats",
                            "stats_waiting_ms",
                            "stats_stalled"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_EQ(json["mode"], "client");
  EXPECT_EQ(json["reclaimed_bytes"], 5 * kMiB);
  EXPECT_EQ(json["features"]["acked"], Json({"STATS_VQ"}));
  EXPECT_EQ(json["queues"][0].dump(), R"({"index":2,"role":"stats","state":"broken",)"
                                      R"("reason":"why","size":128,"buffers":7})");
  EXPECT_EQ(json["counters"]["bad_pfns"], 5);
  EXPECT_EQ(json["stats"]["free_bytes"], 77);
  EXPECT_FALSE(json["stats"].contains("total_bytes")) << "the guest did not send it";
}

TEST_F(MethodsTest, ShowWithoutStatisticsSaysNull) {
  fleet_.guest("vm1");
  EXPECT_TRUE(result("device.show", {{"name", "vm1"}}).at("stats").is_null());
}

TEST_F(MethodsTest, SetTakesBytes) {
  fleet_.guest("vm1");
  const Json json = result("device.set", {{"name", "vm1"}, {"target_bytes", 4096u}});
  EXPECT_EQ(json.dump(), R"({"kept":true,"warnings":[],"target_bytes":4096,"target_share":null,)"
                         R"("guest_bytes":1073741824})");
  EXPECT_EQ(fleet_.report("vm1").target_bytes, 4096U);
}

TEST_F(MethodsTest, SetTakesSizesAndShares) {
  fleet_.guest("vm1");
  EXPECT_EQ(result("device.set", {{"name", "vm1"}, {"size", "512M"}}).at("target_bytes"),
            512 * kMiB);
  EXPECT_EQ(result("device.set", {{"name", "vm1"}, {"size", "25%"}}).at("target_bytes"), kGiB / 4);
}

TEST_F(MethodsTest, SetNeedsOneOfBoth) {
  fleet_.guest("vm1");
  EXPECT_EQ(error("device.set", {{"name", "vm1"}}).code, rpc::kInvalidParams);
  EXPECT_EQ(error("device.set", {{"name", "vm1"}, {"size", "1M"}, {"target_bytes", 1u}}).code,
            rpc::kInvalidParams);
}

TEST_F(MethodsTest, SetRefusesWhatIsNoSize) {
  fleet_.guest("vm1");
  for (const Json& bytes : {Json(-1), Json(1.5), Json("4096"), Json(1ULL << 63), Json(nullptr)}) {
    EXPECT_EQ(error("device.set", {{"name", "vm1"}, {"target_bytes", bytes}}).code,
              rpc::kInvalidParams)
        << bytes;
  }
  EXPECT_EQ(error("device.set", {{"name", "vm1"}, {"size", "lots"}}).code, rpc::kInvalidParams);
  EXPECT_EQ(error("device.set", {{"name", "vm1"}, {"size", "101%"}}).code, rpc::kInvalidParams);
}

TEST_F(MethodsTest, SetOfAShareIsOneOfTheGuestThatComes) {
  auto& device = fleet_.guest("vm1");
  device.guest_bytes = 0;
  device.state = vm::State::kWaiting;
  const Json json = result("device.set", {{"name", "vm1"}, {"size", "50%"}});
  EXPECT_TRUE(json.at("target_bytes").is_null());
  EXPECT_EQ(json.at("target_share"), 0.5);
  EXPECT_EQ(fleet_.last_target.size.share, Share{500'000});
}

TEST_F(MethodsTest, SetIsForcedWhereThatIsSaid) {
  fleet_.guest("vm1");
  static_cast<void>(result("device.set", {{"name", "vm1"}, {"size", "1M"}}));
  EXPECT_FALSE(fleet_.last_target.forced);
  static_cast<void>(result("device.set", {{"name", "vm1"}, {"size", "1M"}, {"force", true}}));
  EXPECT_TRUE(fleet_.last_target.forced);
}

TEST_F(MethodsTest, SetWarnsOfWhatLeavesTheGuestNextToNothing) {
  fleet_.guest("vm1");
  EXPECT_TRUE(result("device.set", {{"name", "vm1"}, {"size", "90%"}}).at("warnings").empty());
  const Json json = result("device.set", {{"name", "vm1"}, {"size", "91%"}});
  ASSERT_EQ(json.at("warnings").size(), 1U);
  EXPECT_EQ(json.at("warnings")[0], "it leaves 92.2 MiB of its 1 GiB to the guest");
}

TEST_F(MethodsTest, EachWishIsSaidNotToBeKeptWhereItIsNot) {
  fleet_.guest("vm1");
  fleet_.why_not_kept = "no space left";
  for (const auto& [method, params] :
       {std::pair("device.set", Json{{"name", "vm1"}, {"size", "1M"}}),
        std::pair("device.inhibit", Json{{"name", "vm1"}, {"on", true}}),
        std::pair("policy.auto", Json{{"name", "vm1"}, {"on", false}})}) {
    const Json json = result(method, params);
    EXPECT_EQ(json.at("kept"), false) << method;
    EXPECT_EQ(json.at("warnings")[0], "kept only as long as this daemon runs: no space left")
        << method;
  }
}

TEST_F(MethodsTest, WhatNobodyKnowsIsNull) {
  auto& device = fleet_.guest("vm1");
  device.actual_bytes.reset();
  device.reclaimed_bytes.reset();
  const Json json = result("device.show", {{"name", "vm1"}});
  EXPECT_TRUE(json.at("actual_bytes").is_null());
  EXPECT_TRUE(json.at("reclaimed_bytes").is_null());
}

TEST_F(MethodsTest, WhatClientsAskForInAFloodIsLoggedInABoundedNumberOfLines) {
  fleet_.guest("vm1");
  testing::internal::CaptureStdout();
  for (int i = 0; i < 1000; ++i) {
    static_cast<void>(result("device.set", {{"name", "vm1"}, {"target_bytes", 4096u}}));
  }
  const std::string said = testing::internal::GetCapturedStdout();
  const auto lines = std::count(said.begin(), said.end(), '\n');
  EXPECT_GT(lines, 0);
  EXPECT_LT(lines, 120);
}

TEST_F(MethodsTest, SetOfASizeDoesNotNeedAGuest) {
  auto& device = fleet_.guest("vm1");
  device.guest_bytes = 0;
  device.state = vm::State::kWaiting;
  EXPECT_EQ(result("device.set", {{"name", "vm1"}, {"size", "64M"}}).at("target_bytes"), 64 * kMiB);
  EXPECT_EQ(result("device.set", {{"name", "vm1"}, {"size", "0"}}).at("target_bytes"), 0U);
}

TEST_F(MethodsTest, MessagesOfTheFleetPassThrough) {
  fleet_.guest("vm1");
  const auto above = error("device.set", {{"name", "vm1"}, {"size", "2G"}});
  EXPECT_EQ(above.code, rpc::kInvalidParams);
  EXPECT_EQ(above.message, "too much");
  for (const char* method : {"device.show", "device.remove", "device.stats"}) {
    const auto unknown = error(method, {{"name", "nope"}});
    EXPECT_EQ(unknown.code, rpc::kNotFound) << method;
    EXPECT_EQ(unknown.message, "no device is named 'nope'") << method;
  }
}

TEST_F(MethodsTest, AddAndRemove) {
  result("device.add", {{"name", "vm1"}, {"socket", "/tmp/a"}, {"mode", "client"}});
  ASSERT_EQ(fleet_.vms().size(), 1U);
  EXPECT_TRUE(fleet_.vm("vm1").settings().client);
  EXPECT_EQ(error("device.add", {{"name", "vm1"}, {"socket", "/tmp/b"}}).code, rpc::kAlreadyExists);
  result("device.remove", {{"name", "vm1"}});
  EXPECT_TRUE(fleet_.empty());
}

TEST_F(MethodsTest, AddListensUnlessToldOtherwise) {
  result("device.add", {{"name", "vm1"}, {"socket", "/tmp/a"}});
  EXPECT_FALSE(fleet_.vm("vm1").settings().client);
  EXPECT_EQ(error("device.add", {{"name", "b"}, {"socket", "c"}, {"mode", "both"}}).code,
            rpc::kInvalidParams);
}

TEST_F(MethodsTest, AddHasNoMessageQueueUnlessToldSo) {
  result("device.add", {{"name", "vm1"}, {"socket", "/tmp/a"}});
  result("device.add", {{"name", "vm2"}, {"socket", "/tmp/b"}, {"message_queue", true}});
  EXPECT_EQ(fleet_.report("vm1").dialect, wire::Dialect::kStock);
  EXPECT_EQ(fleet_.report("vm2").dialect, wire::Dialect::kMessages);
  EXPECT_EQ(error("device.add", {{"name", "b"}, {"socket", "c"}, {"message_queue", 1}}).message,
            "device.add: 'message_queue' must be true or false");
  EXPECT_EQ(error("device.add", {{"name", "b"}, {"socket", "c"}, {"kind", "huge"}}).message,
            "device.add: 'kind' must be \"stock\" or \"large\"");
}

TEST_F(MethodsTest, AddTakesTheKeysOfADevicesBlock) {
  result("device.add", {{"name", "vm1"},
                        {"socket", "/tmp/a"},
                        {"automatic", true},
                        {"floor_mib", 64U},
                        {"ceiling_mib", 512U},
                        {"weight", 300U},
                        {"prefault", true},
                        {"packed", false},
                        {"page_poison", true},
                        {"indirect", true},
                        {"reporting", false}});
  ASSERT_EQ(fleet_.added.size(), 1U);
  const vm::Settings& device = fleet_.added[0];
  EXPECT_EQ(device.floor_mib, 64U);
  EXPECT_EQ(device.ceiling_mib, 512U);
  EXPECT_EQ(device.weight, 300U);
  EXPECT_TRUE(device.prefault && device.page_poison && device.indirect);
  EXPECT_FALSE(device.packed || device.reporting);
  EXPECT_TRUE(result("device.show", {{"name", "vm1"}}).at("automatic").get<bool>());

  result("device.add", {{"name", "vm2"}, {"socket", "/tmp/b"}});
  EXPECT_EQ(fleet_.added[1], (vm::Settings{"vm2", "/tmp/b"}))
      << "the defaults of the configuration";
}

TEST_F(MethodsTest, AddRefusesKeysThatCannotBe) {
  const auto refused = [this](rpc::Json keys) {
    keys.update({{"name", "b"}, {"socket", "c"}});
    return error("device.add", keys).message;
  };
  EXPECT_EQ(refused({{"floor_mib", 9U}, {"ceiling_mib", 8U}}),
            "device.add: 'floor_mib' (9) is above 'ceiling_mib' (8)");
  EXPECT_EQ(refused({{"weight", 0U}}),
            "device.add: 'weight' must be a whole number from 1 to 10000");
  EXPECT_EQ(refused({{"weight", 10'001U}}),
            "device.add: 'weight' must be a whole number from 1 to 10000");
  EXPECT_EQ(refused({{"group", "kvm"}}), "device.add: 'group' is set in the configuration only");
  EXPECT_EQ(refused({{"flor_mib", 9U}}),
            "device.add: unknown parameter 'flor_mib'; did you mean 'floor_mib'?");
  EXPECT_TRUE(fleet_.added.empty());
}

TEST_F(MethodsTest, ParametersAreChecked) {
  EXPECT_EQ(error("device.show").message, "device.show needs 'name', a string");
  EXPECT_EQ(error("device.show", {{"name", 5}}).message, "device.show: 'name' must be a string");
  EXPECT_EQ(error("device.show", {{"nmae", "x"}, {"name", "x"}}).message,
            "device.show: unknown parameter 'nmae'; did you mean 'name'?");
  EXPECT_EQ(error("version", {{"x", 1}}).code, rpc::kInvalidParams);
  EXPECT_EQ(error("device.stats", {{"name", "x"}, {"timeout_ms", 60'001u}}).code,
            rpc::kInvalidParams);
}

TEST_F(MethodsTest, UnknownMethodIsNamedWithTheNearestOne) {
  const auto unknown = error("device.lst");
  EXPECT_EQ(unknown.code, rpc::kMethodNotFound);
  EXPECT_EQ(unknown.message, "unknown method 'device.lst'; did you mean 'device.list'?");
}

TEST_F(MethodsTest, SwitchesAreSetAndShown) {
  fleet_.guest("vm1");
  for (const auto& [method, field] :
       {std::pair{"device.inhibit", "inhibited"}, std::pair{"device.prefault", "prefault"},
        std::pair{"device.reporting", "reporting"}}) {
    for (const bool on : {true, false}) {
      EXPECT_EQ(result(method, {{"name", "vm1"}, {"on", on}}).at(field), on);
      EXPECT_EQ(result("device.show", {{"name", "vm1"}}).at(field), on);
    }
    EXPECT_EQ(error(method, {{"name", "vm2"}, {"on", true}}).code, rpc::kNotFound);
    EXPECT_EQ(error(method, {{"name", "vm1"}}).code, rpc::kInvalidParams);
    EXPECT_EQ(error(method, {{"name", "vm1"}, {"on", 1}}).code, rpc::kInvalidParams);
  }
}

TEST_F(MethodsTest, HintsAreBegunAndEnded) {
  fleet_.guest("vm1");
  const auto hint = [this](const char* action) {
    return result("device.hint", {{"name", "vm1"}, {"action", action}}).at("command_id");
  };
  EXPECT_EQ(hint("start"), 2);
  EXPECT_EQ(hint("stop"), 0);
  EXPECT_EQ(hint("start"), 3);
  EXPECT_EQ(hint("done"), 1);
  EXPECT_EQ(result("device.show", {{"name", "vm1"}}).at("hints").at("command_id"), 1);
  const auto wrong = error("device.hint", {{"name", "vm1"}, {"action", "begin"}});
  EXPECT_EQ(wrong.code, rpc::kInvalidParams);
  EXPECT_NE(wrong.message.find("\"start\", \"stop\" or \"done\""), std::string::npos);
  EXPECT_EQ(error("device.hint", {{"name", "vm1"}}).code, rpc::kInvalidParams);
  EXPECT_EQ(error("device.hint", {{"name", "vm2"}, {"action", "stop"}}).code, rpc::kNotFound);
}

TEST_F(MethodsTest, FiguresWithoutANameAreShownByNumber) {
  vm::DeviceReport& device = fleet_.guest("vm1");
  device.stats.emplace();
  device.stats->sample.add_unknown(77, 5);
  EXPECT_EQ(result("device.show", {{"name", "vm1"}}).at("stats").at("tag_77"), 5);
  EXPECT_FALSE(result("device.show", {{"name", "vm1"}}).at("stats").contains("left_out"));
  for (std::uint16_t tag = 100; tag < 200; ++tag) device.stats->sample.add_unknown(tag, 1);
  EXPECT_EQ(result("device.show", {{"name", "vm1"}}).at("stats").at("left_out"), 85);
}

TEST_F(MethodsTest, AGuestThatOwesStatisticsIsFlagged) {
  vm::DeviceReport& device = fleet_.guest("vm1");
  device.stats_waiting_ms = 1999;
  EXPECT_EQ(result("device.show", {{"name", "vm1"}}).at("stats_stalled"), false);
  device.stats_waiting_ms = 2000;
  const Json listed = result("device.list").at("devices").at(0);
  EXPECT_EQ(listed.at("stats_stalled"), true);
  EXPECT_EQ(listed.at("stats_waiting_ms"), 2000);
}

TEST_F(MethodsTest, LcoresAreListedAndMovedTo) {
  fleet_.guest("vm1");
  fleet_.lcore_reports = {{0, "0-2", 0, "control", "", 0, 0, 0, 0},
                          {3, "3", 1, "poll", "because", 2, 100, 7, 1}};
  const Json lcores = result("lcore.list").at("lcores");
  ASSERT_EQ(lcores.size(), 2U);
  EXPECT_EQ(lcores[1].dump(), R"({"lcore":3,"cpus":"3","node":1,"role":"poll","why":"because",)"
                              R"("devices":2,"passes":100,"busy_passes":7,"sleeps":1})");
  EXPECT_EQ(result("device.move", {{"name", "vm1"}, {"lcore", 3U}}).at("lcore"), 3);
  EXPECT_EQ(result("device.show", {{"name", "vm1"}}).at("lcore"), 3);
  EXPECT_EQ(error("device.move", {{"name", "vm1"}, {"lcore", 0U}}).code, rpc::kInvalidParams);
  EXPECT_EQ(error("device.move", {{"name", "vm1"}}).code, rpc::kInvalidParams);
  EXPECT_EQ(error("device.move", {{"name", "vm1"}, {"lcore", 5000U}}).code, rpc::kInvalidParams);
}

}  // namespace
}  // namespace vballoon::service
