// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "methods_fixture.hpp"
#include "service/telemetry/answers.hpp"
#include "service/telemetry/form.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

class TelemetryAnswers : public MethodsFixture {
 protected:
  static Json json(const Answer& answer) {
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
    return answer ? Json::parse(answer->text) : Json::object();
  }

  const Answers answers_{fleet_, settings_};
};

TEST_F(TelemetryAnswers, NamesComeInTheirOrderFromBehindOne) {
  for (const char* name : {"b", "a", "c.1"}) fleet_.guest(name);
  EXPECT_EQ(json(answers_.names("")),
            Json({{"vms", 3}, {"left", 0}, {"names", {"a", "b", "c.1"}}}));
  EXPECT_EQ(json(answers_.names("a"))["names"], Json({"b", "c.1"}));
  EXPECT_EQ(json(answers_.names("b0"))["names"], Json({"c.1"})) << "which need not be there";
  EXPECT_EQ(json(answers_.names("d")), Json({{"vms", 3}, {"left", 0}, {"names", Json::array()}}));
}

/// @return how many names each answer has, until none is left.
std::vector<std::size_t> pages_of(const Answers& answers, std::vector<std::string>* all) {
  std::vector<std::size_t> pages;
  std::string after;
  for (std::size_t left = 1; left != 0;) {
    const Json answer = Json::parse(answers.names(after).value().text);
    EXPECT_EQ(telemetry_form(answer), answer) << "it has to fit as it is";
    left = answer["left"];
    for (const Json& name : answer["names"]) all->push_back(name);
    pages.push_back(answer["names"].size());
    if (answer["names"].empty()) break;
    after = all->back();
  }
  return pages;
}

TEST_F(TelemetryAnswers, NamesOfAThousandVmsTakeSeveralAnswersWithoutALoss) {
  std::vector<std::string> names;
  for (int i = 1000; i < 2000; ++i) names.push_back(std::to_string(i));
  for (const std::string& name : names) fleet_.guest(name);
  std::vector<std::string> found;
  EXPECT_EQ(pages_of(answers_, &found), (std::vector<std::size_t>{512, 488}));
  EXPECT_EQ(found, names);
}

TEST_F(TelemetryAnswers, LongNamesTakeMore) {
  std::vector<std::string> names;
  for (int i = 1000; i < 2000; ++i) names.push_back(std::to_string(i) + std::string(60, 'n'));
  for (const std::string& name : names) fleet_.guest(name);
  std::vector<std::string> found;
  EXPECT_EQ(pages_of(answers_, &found), (std::vector<std::size_t>{235, 235, 235, 235, 60}));
  EXPECT_EQ(found, names);
}

TEST_F(TelemetryAnswers, ADeviceIsThatOfShow) {
  fleet_.guest("vm1");
  EXPECT_EQ(json(answers_.device("vm1")), call("device.show", {{"name", "vm1"}}).value());
}

TEST_F(TelemetryAnswers, LcoresAreThoseOfListWithoutSentences) {
  fleet_.lcore_reports = {{.lcore = 0, .cpus = "0", .role = "control", .why = {}},
                          {.lcore = 1, .cpus = "1", .role = "poll", .why = "so", .passes = 9}};
  Json rows = call("lcore.list").value()["lcores"];
  for (Json& row : rows) row.erase("why");
  EXPECT_EQ(json(answers_.lcores()), rows);
}

/// As many as an EAL has, and they have counted for long.
TEST_F(TelemetryAnswers, EveryLcoreOfALargeHostFits) {
  constexpr std::uint64_t kLong = 9'999'999'999'999'999ULL;
  for (unsigned i = 0; i < 128; ++i) {
    fleet_.lcore_reports.push_back({.lcore = 1000 + i,
                                    .cpus = "1000",
                                    .node = 7,
                                    .role = "reclaim",
                                    .why = std::string(100, 'w'),
                                    .devices = 1000,
                                    .passes = kLong,
                                    .busy_passes = kLong,
                                    .sleeps = kLong});
  }
  EXPECT_EQ(telemetry_form(json(answers_.lcores())).value("lcore", Json()).size(), 128U);
}

TEST_F(TelemetryAnswers, WrongNamesAreRefused) {
  fleet_.guest("vm1");
  for (const std::string& name : {std::string(), std::string("vm2"), std::string(1000, 'x'),
                                  std::string("../x"), std::string("vm1\n"), std::string("\xff")}) {
    EXPECT_FALSE(answers_.device(name)) << name;
  }
  EXPECT_FALSE(answers_.names("a b"));
}

}  // namespace
}  // namespace vballoon::service
