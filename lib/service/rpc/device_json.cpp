// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/device_json.hpp"

#include <fmt/format.h>

#include "vm/stats_patience.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

Json queue_json(const vm::QueueReport& queue) {
  return {{"index", queue.index},   {"role", queue.role}, {"state", queue.state},
          {"reason", queue.reason}, {"size", queue.size}, {"buffers", queue.buffers}};
}

Json identity_json(const vm::Settings& settings, const vm::VmFigures& figures) {
  return {{"name", settings.name},
          {"socket", settings.socket},
          {"mode", settings.client ? "client" : "server"},
          {"lcore", figures.lcore},
          {"state", std::string(vm::state_name(figures.state))},
          {"reason", figures.reason},
          {"slow", figures.slow},
          {"alone", figures.alone}};
}

Json known(const std::optional<std::uint64_t>& figure) {
  return figure ? Json(*figure) : Json(nullptr);
}

void add_sizes(const vm::VmFigures& figures, Json* json) {
  (*json)["guest_bytes"] = figures.guest_bytes;
  (*json)["guest_source"] = std::string(vm::source_name(figures.guest_source));
  (*json)["table_bytes"] = figures.table_bytes;
  const bool of_nobody = figures.share && figures.guest_bytes == 0;
  (*json)["target_bytes"] = of_nobody ? Json(nullptr) : Json(figures.target_bytes);
  (*json)["target_share"] = share_json(figures.share);
  (*json)["wanted_bytes"] = of_nobody ? Json(nullptr) : Json(figures.wanted_bytes);
  (*json)["actual_bytes"] = known(figures.actual_bytes);
  (*json)["ballooned_bytes"] = figures.ballooned_bytes;
  (*json)["reclaimed_bytes"] = known(figures.reclaimed_bytes);
  (*json)["discarded_bytes"] = figures.discarded_bytes;
  (*json)["reported_bytes"] = figures.reported_bytes;
  (*json)["stranded_bytes"] = figures.stranded_bytes;
  (*json)["resident_bytes"] = known(figures.resident_bytes);
}

void add_stats(const vm::VmFigures& figures, Json* json) {
  (*json)["stats"] = stats_json(figures.stats);
  (*json)["stats_waiting_ms"] = figures.stats_waiting_ms;
  (*json)["stats_stalled"] = figures.stats_waiting_ms >= vm::kStatsStalledMs;
}

}  // namespace

Json share_json(const std::optional<Share>& share) {
  return share ? Json(static_cast<double>(share->millionths) / Share::kWhole) : Json(nullptr);
}

Json stats_json(const std::optional<vm::StatsReport>& stats) {
  if (!stats) return nullptr;
  Json json{{"age_ms", stats->age_ms}, {"sequence", stats->sequence}};
  for (std::size_t tag = 0; tag < wire::kKnownStats; ++tag) {
    const auto stat = static_cast<wire::StatTag>(tag);
    if (const auto value = stats->sample.get(stat)) {
      json[std::string(wire::stat_name(stat))] = *value;
    }
  }
  for (std::size_t tag = 0; tag < wire::kKnownStats; ++tag) {
    if (((stats->sample.nonsense >> tag) & 1) == 0) continue;
    json["nonsense"].push_back(std::string(wire::stat_name(static_cast<wire::StatTag>(tag))));
  }
  for (std::uint32_t i = 0; i < stats->sample.unknown_count; ++i) {
    const wire::UnknownStat& unknown = stats->sample.unknown[i];
    json[fmt::format("tag_{}", unknown.tag)] = unknown.value;
  }
  if (stats->sample.left_out != 0) json["left_out"] = stats->sample.left_out;
  return json;
}

Json summary_json(const vm::Settings& settings, const vm::VmFigures& figures, bool automatic) {
  Json json = identity_json(settings, figures);
  add_sizes(figures, &json);
  add_stats(figures, &json);
  json["automatic"] = automatic;
  return json;
}

Json device_json(const vm::Settings& settings, const vm::DeviceReport& report, bool automatic) {
  Json json = identity_json(settings, report);
  add_sizes(report, &json);
  json["forced"] = report.forced;
  json["kept"] = report.kept;
  json["why_not_kept"] = report.why_not_kept;
  json["on_disk"] = report.on_disk();
  json["shared_with"] = report.shared_with;
  json["inhibited"] = report.inhibited;
  json["prefault"] = report.prefault;
  json["no_prefault"] = report.no_prefault;
  json["reporting"] = report.reporting;
  json["poison_value"] = report.poison_value;
  json["hints"] = {{"state", std::string(report.hints.state)},
                   {"command_id", report.hints.command_id},
                   {"bytes", report.hints.bytes}};
  json["features"] = {{"offered", wire::feature_names(report.offered, report.bit_two)},
                      {"acked", wire::feature_names(report.acked, report.bit_two)}};
  json["queues"] = Json::array();
  for (const auto& queue : report.queues) json["queues"].push_back(queue_json(queue));
  json["counters"] = Json::object();
  for (const auto& counter : report.counters) json["counters"][counter.name] = counter.value;
  add_stats(report, &json);
  json["automatic"] = automatic;
  return json;
}

Json lcore_json(const lcore::LcoreReport& report) {
  return {{"lcore", report.lcore},   {"cpus", report.cpus},
          {"node", report.node},     {"role", std::string(report.role)},
          {"why", report.why},       {"devices", report.devices},
          {"passes", report.passes}, {"busy_passes", report.busy_passes},
          {"sleeps", report.sleeps}};
}

}  // namespace vballoon::service
