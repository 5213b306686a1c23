// SPDX-License-Identifier: BSD-3-Clause
//
// Rows are written at once, and are to be what the same values as objects are dumped as.
#include <gtest/gtest.h>

#include <limits>

#include "rpc/message.hpp"
#include "service/rpc/device_json.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

vm::DeviceReport full_report() {
  vm::DeviceReport report;
  report.reason = "a \"reason\"";
  report.share = Share{123'457};
  report.resident_bytes = std::numeric_limits<std::uint64_t>::max();
  report.shared_with = "\u00e9";
  report.queues.push_back({2, "stats", "broken", "why", 128, 7});
  report.counters.push_back({"bad_pfns", 5});
  vm::StatsReport& stats = report.stats.emplace();
  stats.sample.present = 3;
  stats.sample.nonsense = 4;
  stats.sample.add_unknown(300, 1);
  report.nodes.set_guest(wire::large::kBalloonTag, 9);
  report.nodes.set(1, wire::large::kFreeLargeTag, 8);
  return report;
}

TEST(DeviceJson, IsWrittenAsItsValuesAreDumped) {
  const vm::Settings settings{"vm1", "/tmp/a \"b\" \xff\n"};
  const vm::DeviceReport report = full_report();
  rpc::JsonWriter row;
  write_summary(settings, report, true, &row);
  rpc::JsonWriter all;
  write_device(settings, report, &all);
  const std::string row_text = row.take(), all_text = all.take();
  for (const std::string& text : {row_text, all_text}) {
    const Json parsed = Json::parse(text, nullptr, false);
    EXPECT_EQ(text, rpc::dump(parsed));
    EXPECT_EQ(parsed.at("socket"), "/tmp/a \"b\" \ufffd\n");
    EXPECT_EQ(parsed.at("stats").at("tag_300"), 1);
  }
  const Json shown = Json::parse(all_text).at("stats");
  EXPECT_EQ(shown.at("balloon_bytes"), 9);
  EXPECT_EQ(shown.at("nodes"), (Json{{{"node", 1}, {"free_large_bytes", 8}}}));
  EXPECT_FALSE(Json::parse(row_text).at("stats").contains("nodes"));
}

}  // namespace
}  // namespace vballoon::service
