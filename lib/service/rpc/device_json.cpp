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

Json identity_json(const vm::DeviceReport& report) {
  return {{"name", report.name},
          {"socket", report.socket},
          {"mode", report.client ? "client" : "server"},
          {"lcore", report.lcore},
          {"state", std::string(vm::state_name(report.state))},
          {"reason", report.reason},
          {"slow", report.slow},
          {"alone", report.alone}};
}

Json known(const std::optional<std::uint64_t>& figure) {
  return figure ? Json(*figure) : Json(nullptr);
}

void add_sizes(const vm::DeviceReport& report, Json* json) {
  (*json)["guest_bytes"] = report.guest_bytes;
  (*json)["guest_source"] = std::string(vm::source_name(report.guest_source));
  (*json)["table_bytes"] = report.table_bytes;
  const bool of_nobody = report.share && report.guest_bytes == 0;
  (*json)["target_bytes"] = of_nobody ? Json(nullptr) : Json(report.target_bytes);
  (*json)["target_share"] = share_json(report.share);
  (*json)["wanted_bytes"] = of_nobody ? Json(nullptr) : Json(report.wanted_bytes);
  (*json)["actual_bytes"] = known(report.actual_bytes);
  (*json)["ballooned_bytes"] = report.ballooned_bytes;
  (*json)["reclaimed_bytes"] = known(report.reclaimed_bytes);
  (*json)["discarded_bytes"] = report.discarded_bytes;
  (*json)["reported_bytes"] = report.reported_bytes;
  (*json)["stranded_bytes"] = report.stranded_bytes;
  (*json)["resident_bytes"] = known(report.resident_bytes);
}

void add_stats(const vm::DeviceReport& report, Json* json) {
  (*json)["stats"] = stats_json(report.stats);
  (*json)["stats_waiting_ms"] = report.stats_waiting_ms;
  (*json)["stats_stalled"] = report.stats_waiting_ms >= vm::kStatsStalledMs;
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

Json summary_json(const vm::DeviceReport& report) {
  Json json = identity_json(report);
  add_sizes(report, &json);
  add_stats(report, &json);
  return json;
}

Json device_json(const vm::DeviceReport& report) {
  Json json = identity_json(report);
  add_sizes(report, &json);
  json["forced"] = report.forced;
  json["kept"] = report.kept;
  json["why_not_kept"] = report.why_not_kept;
  json["on_disk"] = report.on_disk;
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
