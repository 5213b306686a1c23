// SPDX-License-Identifier: BSD-3-Clause
//
// JSON in the form that DPDK's telemetry can send. Does not prove what DPDK makes of it:
// tests/guest/test_telemetry.py asks DPDK's own script.
#include <gtest/gtest.h>

#include <string>

#include "service/telemetry/form.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

TEST(TelemetryForm, HasNumbersAndTextsOnly) {
  const Json form = telemetry_form({{"number", 18'446'744'073'709'551'615ULL},
                                    {"on", true},
                                    {"off", false},
                                    {"text", "a"},
                                    {"share", 0.5},
                                    {"inner", {{"on", true}}},
                                    {"texts", {"a", "b"}},
                                    {"none", Json::array()}});
  EXPECT_EQ(form, Json({{"number", 18'446'744'073'709'551'615ULL},
                        {"on", 1U},
                        {"off", 0U},
                        {"text", "a"},
                        {"share", "0.5"},
                        {"inner", {{"on", 1U}}},
                        {"texts", {"a", "b"}},
                        {"none", Json::array()}}));
}

TEST(TelemetryForm, LeavesOutWhatNobodyKnows) {
  const Json form = telemetry_form({{"unknown", nullptr}, {"nothing", Json::object()}, {"n", 1U}});
  EXPECT_EQ(form, Json({{"n", 1U}}));
}

TEST(TelemetryForm, OfRowsIsAnArrayForEachColumn) {
  const Json rows = {{{"id", 1U}, {"on", true}}, {{"id", 2U}, {"on", false}}};
  const Json columns = {{"id", {1U, 2U}}, {"on", {1U, 0U}}};
  EXPECT_EQ(telemetry_form(rows), columns);
  EXPECT_EQ(telemetry_form({{"rows", rows}}), Json({{"rows", columns}}));
}

TEST(TelemetryForm, KeepsTheRowsOfAColumnThatHasGaps) {
  const Json form = telemetry_form({{{"id", 1U}, {"free", 7U}}, {{"id", 2U}}});
  EXPECT_EQ(form, Json({{"id", {1U, 2U}}, {"free", {"7", ""}}}));
}

TEST(TelemetryForm, ShowsWhereATextWasCut) {
  const std::string most(kMostText, 'x');
  EXPECT_EQ(telemetry_form({{"text", most}})["text"], most);
  const std::string cut = telemetry_form({{"text", most + "x"}})["text"];
  EXPECT_EQ(cut, std::string(kMostText - 3, 'x') + "...");
}

TEST(TelemetryForm, IsPrintableAscii) {
  EXPECT_EQ(telemetry_form({{"text", "a\x1b[2J\n\u00e9\xff"}})["text"], "a\\x1b[2J???\\xff");
  EXPECT_EQ(error_form("vm\u00e9")["error"], "vm??");
}

/// DPDK would leave out what does not fit, and say nothing.
TEST(TelemetryForm, OfTooMuchIsAnError) {
  const auto is_refused = [](const Json& value) {
    const Json form = telemetry_form(value);
    return form.size() == 1 && form.contains("error");
  };
  Json entries = Json::object();
  for (std::size_t i = 0; i < kMostEntries; ++i) entries["k" + std::to_string(i)] = 1U;
  EXPECT_FALSE(is_refused(entries));
  EXPECT_FALSE(is_refused({{"inner", entries}}));
  entries["more"] = 1U;
  EXPECT_TRUE(is_refused(entries));
  EXPECT_TRUE(is_refused({{"inner", entries}}));

  Json items = Json::array();
  for (std::size_t i = 0; i < kMostItems; ++i) items.push_back(1U);
  EXPECT_FALSE(is_refused({{"items", items}}));
  items.push_back(1U);
  EXPECT_TRUE(is_refused({{"items", items}}));

  Json texts = Json::array();
  for (std::size_t i = 0; i < kMostBytes / (kMostText + 3); ++i) {
    texts.push_back(std::string(kMostText, 'x'));
  }
  EXPECT_TRUE(is_refused({{"texts", texts}}));
  texts.erase(texts.size() - 1);
  EXPECT_FALSE(is_refused({{"texts", texts}}));
}

}  // namespace
}  // namespace vballoon::service
