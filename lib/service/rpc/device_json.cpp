// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/device_json.hpp"

#include <fmt/format.h>

#include "service/rpc/settings_json.hpp"
#include "vm/stats_patience.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;
using rpc::JsonWriter;

void write_identity(const vm::Settings& settings, const vm::VmFigures& figures, JsonWriter* out) {
  out->field("name", settings.name);
  out->field("socket", settings.socket);
  out->field("mode", settings.client ? "client" : "server");
  out->field("lcore", figures.lcore);
  out->field("state", vm::state_name(figures.state));
  out->field("reason", figures.reason);
  out->field("slow", figures.slow);
  out->field("alone", figures.alone);
}

void write_sizes(const vm::VmFigures& figures, JsonWriter* out) {
  const bool of_nobody = figures.share && figures.guest_bytes == 0;
  const auto sized = [of_nobody](std::uint64_t bytes) {
    return of_nobody ? std::nullopt : std::optional(bytes);
  };
  out->field("guest_bytes", figures.guest_bytes);
  out->field("guest_source", vm::source_name(figures.guest_source));
  out->field("table_bytes", figures.table_bytes);
  out->field("target_bytes", sized(figures.target_bytes));
  out->field("target_share", share_json(figures.share));
  out->field("wanted_bytes", sized(figures.wanted_bytes));
  out->field("actual_bytes", figures.actual_bytes);
  out->field("ballooned_bytes", figures.ballooned_bytes);
  out->field("reclaimed_bytes", figures.reclaimed_bytes);
  out->field("discarded_bytes", figures.discarded_bytes);
  out->field("reported_bytes", figures.reported_bytes);
  out->field("stranded_bytes", figures.stranded_bytes);
  out->field("resident_bytes", figures.resident_bytes);
}

/// Writes of statistics that are late. @pre `stats` is written
void write_waiting(const vm::VmFigures& figures, JsonWriter* out) {
  out->field("stats_waiting_ms", figures.stats_waiting_ms);
  out->field("stats_stalled", figures.stats_waiting_ms >= vm::kStatsStalledMs);
}

void write_wishes(const vm::DeviceReport& report, JsonWriter* out) {
  out->field("forced", report.forced);
  out->field("kept", report.kept);
  out->field("why_not_kept", report.why_not_kept);
  out->field("on_disk", report.on_disk());
  out->field("never_huge_bytes", report.never_huge_bytes);
  out->field("shared_with", report.shared_with);
  out->field("inhibited", report.inhibited);
  out->field("prefault", report.prefault);
  out->field("no_prefault", report.no_prefault);
  out->field("reporting", report.reporting);
}

void write_driver_state(const std::optional<vm::DriverReport>& driver, JsonWriter* out) {
  out->key("driver");
  if (!driver) return out->value(nullptr);
  out->begin_object();
  out->field("reason", driver->reason);
  out->field("size_bytes", driver->size_bytes);
  out->field("target_bytes", driver->target_bytes);
  out->field("longest_us", driver->longest_us);
  out->field("newest_target", driver->newest_target);
  out->field("age_ms", driver->age_ms);
  out->end_object();
}

void write_driver(const vm::DeviceReport& report, JsonWriter* out) {
  write_driver_state(report.driver, out);
  out->field("poison_value", report.poison_value);
  out->key("hints");
  out->begin_object();
  out->field("state", report.hints.state);
  out->field("command_id", report.hints.command_id);
  out->field("bytes", report.hints.bytes);
  out->end_object();
  out->key("features");
  out->begin_object();
  out->field("offered", Json(wire::feature_names(report.offered, report.dialect)));
  out->field("acked", Json(wire::feature_names(report.acked, report.dialect)));
  out->end_object();
}

void write_queue(const vm::QueueReport& queue, JsonWriter* out) {
  out->begin_object();
  out->field("index", queue.index);
  out->field("role", queue.role);
  out->field("state", queue.state);
  out->field("reason", queue.reason);
  out->field("size", queue.size);
  out->field("buffers", queue.buffers);
  out->end_object();
}

void write_nonsense(const wire::StatsSample& sample, JsonWriter* out) {
  if (sample.nonsense == 0) return;
  out->key("nonsense");
  out->begin_array();
  for (std::size_t tag = 0; tag < wire::kKnownStats; ++tag) {
    if (((sample.nonsense >> tag) & 1) == 0) continue;
    out->value(wire::stat_name(static_cast<wire::StatTag>(tag)));
  }
  out->end_array();
}

void write_figures(const wire::NodeFigures& figures, JsonWriter* out) {
  for (std::size_t i = 0; i < wire::kNodeStats; ++i) {
    const auto stat = static_cast<wire::NodeStat>(i);
    if (const auto value = figures.get(stat)) out->field(wire::node_stat_name(stat), *value);
  }
}

void write_nodes(const wire::NodeSample& sample, JsonWriter* out) {
  if (sample.count == 0) return;
  out->key("nodes");
  out->begin_array();
  for (std::uint32_t i = 0; i < sample.count; ++i) {
    out->begin_object();
    out->field("node", sample.nodes[i].node);
    write_figures(sample.nodes[i], out);
    out->end_object();
  }
  out->end_array();
}

/// Writes what the guest said of itself, as a value.
void write_stats_of(const vm::VmFigures& figures, const wire::NodeSample& nodes, JsonWriter* out) {
  if (!figures.stats) return out->value(nullptr);
  const wire::StatsSample& sample = figures.stats->sample;
  out->begin_object();
  out->field("age_ms", figures.stats->age_ms);
  out->field("sequence", figures.stats->sequence);
  for (std::size_t tag = 0; tag < wire::kKnownStats; ++tag) {
    const auto stat = static_cast<wire::StatTag>(tag);
    if (const auto value = sample.get(stat)) out->field(wire::stat_name(stat), *value);
  }
  write_figures(nodes.guest, out);
  write_nonsense(sample, out);
  write_nodes(nodes, out);
  for (std::uint32_t i = 0; i < sample.unknown_count; ++i) {
    out->field(fmt::format("tag_{}", sample.unknown[i].tag), sample.unknown[i].value);
  }
  const std::uint32_t left_out = sample.left_out + nodes.left_out;
  if (left_out != 0) out->field("left_out", left_out);
  out->end_object();
}

}  // namespace

Json share_json(const std::optional<Share>& share) {
  return share ? Json(static_cast<double>(share->millionths) / Share::kWhole) : Json(nullptr);
}

void write_stats(const vm::VmFigures& figures, JsonWriter* out) {
  write_stats_of(figures, wire::NodeSample{}, out);
}

void write_stats(const vm::DeviceReport& report, JsonWriter* out) {
  write_stats_of(report, report.nodes, out);
}

void write_summary(const vm::Settings& settings, const vm::VmFigures& figures, bool automatic,
                   JsonWriter* out) {
  out->begin_object();
  write_identity(settings, figures, out);
  write_sizes(figures, out);
  out->key("stats");
  write_stats(figures, out);
  write_waiting(figures, out);
  out->field("automatic", automatic);
  out->end_object();
}

void write_restarts(const vm::DeviceReport& report, JsonWriter* out) {
  const bool connected = report.state != vm::State::kWaiting;
  out->key("restarts");
  out->begin_object();
  out->field("count", report.restarts.count);
  out->field("last_ms", report.restarts.last_ms);
  out->field("longest_ms", report.restarts.longest_ms);
  out->field("last_at_ms", report.restarts.last_at_ms);
  out->end_object();
  out->field("outlives", connected && report.why_not_outlives.empty());
  out->field("why_not_outlives", report.why_not_outlives);
}

void write_warnings(const std::vector<std::string>& warnings, JsonWriter* out) {
  out->key("warnings");
  out->begin_array();
  for (const std::string& warning : warnings) out->value(warning);
  out->end_array();
}

void write_device(const vm::Settings& settings, const vm::DeviceReport& report, JsonWriter* out) {
  out->begin_object();
  write_identity(settings, report, out);
  write_sizes(report, out);
  write_wishes(report, out);
  write_restarts(report, out);
  write_driver(report, out);
  out->key("queues");
  out->begin_array();
  for (const vm::QueueReport& queue : report.queues) write_queue(queue, out);
  out->end_array();
  out->key("counters");
  out->begin_object();
  for (const auto& counter : report.counters) out->field(counter.name, counter.value);
  out->end_object();
  out->key("stats");
  write_stats(report, out);
  write_waiting(report, out);
  out->field("automatic", settings.automatic);
  out->key("settings");
  write_settings(settings, out);
  out->end_object();
}

Json lcore_json(const lcore::LcoreReport& report) {
  return {{"lcore", report.lcore},   {"cpus", report.cpus},
          {"node", report.node},     {"role", std::string(report.role)},
          {"why", report.why},       {"devices", report.devices},
          {"passes", report.passes}, {"busy_passes", report.busy_passes},
          {"sleeps", report.sleeps}};
}

}  // namespace vballoon::service
