// SPDX-License-Identifier: BSD-3-Clause
//
// Metrics are samples in families, under names and labels that nobody but the daemon chooses.
// Does not prove that Prometheus takes them: tests/guest/test_metrics.py asks its own checker.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

#include "base/size_histogram.hpp"
#include "base/units.hpp"
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

Figures figures_of(std::vector<VmRow> vms) {
  Figures figures{{"1.2", 1'700'000'000, {}}, {}, std::move(vms), kLcores};
  figures.daemon.counters = {
      .rpc_requests = 30, .rpc_errors = 4, .rpc_turned_away = 3, .reloads = 2, .failed_reloads = 1};
  figures.policy.turns = 9;
  figures.policy.pressure_events = 5;
  figures.policy.host_seen = true;
  policy::PoolObservation& pool = figures.policy.pools.emplace_back();
  pool.name = "host";
  pool.available = 50;
  figures.policy.pools.push_back({"node 1", 1, 1, 1, 0, false});
  figures.policy.vms = {{"a", "share", 4096, 6, 7}, {"b", "", 0, 0, 0}};
  return figures;
}

/// @return what stands behind this series; "none" where there is no such line.
std::string value_of(const std::string& text, const std::string& begin) {
  const std::size_t at = ("\n" + text).find("\n" + begin + " ");
  if (at == std::string::npos) return "none";
  const std::size_t from = at + begin.size() + 1;
  return text.substr(from, text.find('\n', from) - from);
}

TEST(MetricsText, HasEachFigureOfEachVm) {
  const std::string text = metrics_text(figures_of({full_row("a"), full_row("b")}));
  EXPECT_EQ(value_of(text, "vballoon_build_info{version=\"1.2\"}"), "1");
  EXPECT_EQ(value_of(text, "vballoon_vms"), "2");
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

TEST(MetricsText, HasWhatTheDaemonAndThePolicyDid) {
  const std::string text = metrics_text(figures_of({full_row("a"), full_row("b")}));
  EXPECT_EQ(value_of(text, "vballoon_start_time_seconds"), "1700000000");
  EXPECT_EQ(value_of(text, "vballoon_rpc_requests_total"), "30");
  EXPECT_EQ(value_of(text, "vballoon_rpc_errors_total"), "4");
  EXPECT_EQ(value_of(text, "vballoon_rpc_turned_away_total"), "3");
  EXPECT_EQ(value_of(text, "vballoon_reloads_total{result=\"done\"}"), "2");
  EXPECT_EQ(value_of(text, "vballoon_reloads_total{result=\"refused\"}"), "1");
  EXPECT_EQ(value_of(text, "vballoon_policy_turns_total"), "9");
  EXPECT_EQ(value_of(text, "vballoon_policy_pressure_events_total"), "5");
  EXPECT_EQ(value_of(text, "vballoon_policy_host_seen"), "1");
  EXPECT_EQ(value_of(text, "vballoon_policy_pool_available_bytes{pool=\"host\"}"), "50");
  EXPECT_EQ(text.find("pool=\"node 1\""), std::string::npos) << "its figures mean nothing";
  EXPECT_EQ(value_of(text, "vballoon_vm_policy_rule{vm=\"a\",rule=\"share\"}"), "1");
  EXPECT_EQ(text.find("vballoon_vm_policy_rule{vm=\"b\""), std::string::npos);
  EXPECT_EQ(value_of(text, "vballoon_vm_policy_moves_total{vm=\"a\",direction=\"down\"}"), "7");
}

TEST(MetricsText, CountsHolesUpToEachSize) {
  SizeHistogram::Counts holes;
  for (const std::uint64_t bytes : {4 * kKiB, 4 * kKiB, 8 * kKiB, 2 * kMiB, 1024 * kMiB}) {
    holes.add(bytes);
  }
  VmRow row = full_row("a");
  row.report.holes = holes;
  const std::string text = metrics_text(figures_of({row}));
  const auto bucket = [&](const char* le) {
    return value_of(text, fmt::format("vballoon_vm_hole_bytes_bucket{{vm=\"a\",le=\"{}\"}}", le));
  };
  EXPECT_EQ(bucket("4096"), "2");
  EXPECT_EQ(bucket("16384"), "3");
  EXPECT_EQ(bucket("1048576"), "3");
  EXPECT_EQ(bucket("4194304"), "4");
  EXPECT_EQ(bucket("67108864"), "4");
  EXPECT_EQ(bucket("+Inf"), "5");
  EXPECT_EQ(value_of(text, "vballoon_vm_hole_bytes_count{vm=\"a\"}"), "5");
  EXPECT_EQ(value_of(text, "vballoon_vm_hole_bytes_sum{vm=\"a\"}"), "1075855360");
}

TEST(MetricsText, LeavesOutWhatNobodyKnows) {
  const std::string text =
      metrics_text({.daemon = {}, .policy = {}, .vms = {{"a", "large", false, {}}}, .lcores = {}});
  EXPECT_EQ(text.find("actual_bytes"), std::string::npos);
  EXPECT_EQ(text.find("vballoon_guest_"), std::string::npos);
  EXPECT_EQ(text.find("vballoon_lcore_"), std::string::npos);
  EXPECT_EQ(value_of(text, "vballoon_vm_info{vm=\"a\",kind=\"large\",lcore=\"0\"}"), "1");
}

TEST(MetricsText, KeepsAFamilyTogetherUnderItsHeading) {
  const std::string text = metrics_text(figures_of({full_row("a"), full_row("b")}));
  std::istringstream lines(text);
  std::set<std::string> seen;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(seen.insert(family).second) << family << " twice";
    } else if (line.starts_with("# TYPE ")) {
      const bool counter = family.ends_with("_total");
      const bool histogram = family == "vballoon_vm_hole_bytes";
      EXPECT_EQ(line, "# TYPE " + family +
                          (counter     ? " counter"
                           : histogram ? " histogram"
                                       : " gauge"));
    } else {
      EXPECT_TRUE(line.starts_with(family)) << line;
      EXPECT_NE(std::string(" {_").find(line[family.size()]), std::string::npos) << line;
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
  const std::string text = metrics_text(figures_of({row}));
  for (const auto& [name, count] : values) {
    const bool there = text.find(" " + std::to_string(count) + "\n") != std::string::npos;
    // That one is a figure of the report, too.
    EXPECT_TRUE(there || name == "pressure_messages") << name;
  }
}

}  // namespace
}  // namespace vballoon::service
