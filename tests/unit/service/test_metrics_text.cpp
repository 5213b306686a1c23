// SPDX-License-Identifier: BSD-3-Clause
//
// Metrics are samples in families, under names and labels that nobody but the daemon chooses.
// Does not prove that Prometheus takes them: tests/guest/test_metrics.py asks its own checker.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

#include "datapath/counters.hpp"
#include "service/rpc/metrics_text.hpp"

namespace vballoon::service {
namespace {

VmRow full_row(const std::string& name) {
  VmRow row{name, "stock", true, {}};
  row.report.state = vm::State::kRunning;
  row.report.guest_bytes = 1 << 30;
  row.report.actual_bytes = 4096;
  row.report.restarts.longest_ms = 1234;
  row.report.queues.push_back({0, "inflate", "broken", "why", 128, 7});
  row.report.counters = datapath::named_counts(datapath::DeviceCounters());
  row.report.counters.push_back({"discard_calls", 5});
  vm::StatsReport& stats = row.report.stats.emplace();
  stats.sample.set(static_cast<std::uint16_t>(wire::StatTag::kFree), 77);
  stats.sample.set(static_cast<std::uint16_t>(wire::StatTag::kOomKills), 3);
  stats.sample.add_unknown(300, 1);
  stats.age_ms = 5;
  return row;
}

const std::vector<lcore::LcoreReport> kLcores{
    {.lcore = 0, .cpus = "0", .role = "control", .why = {}},
    {.lcore = 1, .cpus = "1", .role = "poll", .why = {}, .devices = 2, .passes = 9}};

/// @return what stands behind this series; "none" where there is no such line.
std::string value_of(const std::string& text, const std::string& begin) {
  const std::size_t at = ("\n" + text).find("\n" + begin + " ");
  if (at == std::string::npos) return "none";
  const std::size_t from = at + begin.size() + 1;
  return text.substr(from, text.find('\n', from) - from);
}

TEST(MetricsText, HasEachFigureOfEachVm) {
  const std::string text = metrics_text("1.2", {full_row("a"), full_row("b")}, kLcores);
  EXPECT_EQ(value_of(text, "vballoon_build_info{version=\"1.2\"}"), "1");
  EXPECT_EQ(value_of(text, "vballoon_vms{}"), "2");
  for (const std::string vm : {"vm=\"a\"", "vm=\"b\""}) {
    EXPECT_EQ(value_of(text, "vballoon_vm_guest_bytes{" + vm + "}"), "1073741824");
    EXPECT_EQ(value_of(text, "vballoon_vm_actual_bytes{" + vm + "}"), "4096");
    EXPECT_EQ(value_of(text, "vballoon_vm_automatic{" + vm + "}"), "1");
    EXPECT_EQ(value_of(text, "vballoon_vm_discard_calls_total{" + vm + "}"), "5");
    EXPECT_EQ(value_of(text, "vballoon_vm_state{" + vm + ",state=\"running\"}"), "1");
    EXPECT_EQ(value_of(text, "vballoon_vm_state{" + vm + ",state=\"waiting\"}"), "0");
    EXPECT_EQ(value_of(text, "vballoon_vm_queue_buffers_total{" + vm + ",queue=\"inflate\"}"), "7");
    EXPECT_EQ(value_of(text, "vballoon_vm_queue_broken{" + vm + ",queue=\"inflate\"}"), "1");
    EXPECT_EQ(value_of(text, "vballoon_vm_longest_restart_seconds{" + vm + "}"), "1.234");
    EXPECT_EQ(value_of(text, "vballoon_guest_free_bytes{" + vm + "}"), "77");
    EXPECT_EQ(value_of(text, "vballoon_guest_oom_kills_total{" + vm + "}"), "3");
    EXPECT_EQ(value_of(text, "vballoon_guest_statistics_age_seconds{" + vm + "}"), "0.005");
  }
  EXPECT_EQ(value_of(text, "vballoon_lcore_passes_total{lcore=\"1\",role=\"poll\"}"), "9");
}

TEST(MetricsText, LeavesOutWhatNobodyKnows) {
  const std::string text = metrics_text("1", {VmRow{"a", "large", false, {}}}, {});
  EXPECT_EQ(text.find("actual_bytes"), std::string::npos);
  EXPECT_EQ(text.find("vballoon_guest_"), std::string::npos);
  EXPECT_EQ(text.find("vballoon_lcore_"), std::string::npos);
  EXPECT_EQ(value_of(text, "vballoon_vm_info{vm=\"a\",kind=\"large\",lcore=\"0\"}"), "1");
}

TEST(MetricsText, KeepsAFamilyTogetherUnderItsHeading) {
  const std::string text = metrics_text("1", {full_row("a"), full_row("b")}, kLcores);
  std::istringstream lines(text);
  std::set<std::string> seen;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(seen.insert(family).second) << family << " twice";
    } else if (line.starts_with("# TYPE ")) {
      const bool counter = family.ends_with("_total");
      EXPECT_EQ(line, "# TYPE " + family + (counter ? " counter" : " gauge"));
    } else {
      EXPECT_TRUE(line.starts_with(family + "{")) << line;
    }
  }
}

/// So a new counter is not forgotten.
TEST(MetricsText, HasEveryCounterOfADevice) {
  VmRow row = full_row("a");
  std::uint64_t value = 100;
  std::map<std::string, std::uint64_t, std::less<>> values;
  for (datapath::NamedCount& counter : row.report.counters) {
    counter.value = ++value;
    values[std::string(counter.name)] = value;
  }
  const std::string text = metrics_text("1", {row}, {});
  for (const auto& [name, count] : values) {
    const bool there = text.find(" " + std::to_string(count) + "\n") != std::string::npos;
    // That one is a figure of the report, too.
    EXPECT_TRUE(there || name == "pressure_messages") << name;
  }
}

}  // namespace
}  // namespace vballoon::service
