// SPDX-License-Identifier: BSD-3-Clause
//
// policy/autopilot_json.cpp - RPC results: what automatic ballooning did, and why.
#include <fmt/format.h>

#include <string_view>

#include "policy/autopilot.hpp"

namespace vballoon::policy {
namespace {

using rpc::Json;

Json pool_json(const policy::PoolObservation& pool) {
  return {{"name", pool.name},
          {"total_bytes", pool.total},
          {"available_bytes", pool.available},
          {"reserve_bytes", pool.reserve},
          {"swapped_bytes", pool.swapped}};
}

Json vm_json(const VmReport& vm) {
  if (vm.rule.empty()) return {{"name", vm.name}, {"rule", nullptr}};
  return {{"name", vm.name}, {"rule", std::string(vm.rule)}, {"target_bytes", vm.target}};
}

}  // namespace

rpc::Json Autopilot::explain(const std::string& name) const {
  const auto guided = guided_.find(name);
  Json json{{"name", name}, {"automatic", automatic(name)}, {"law", std::string(law_->name())}};
  if (guided == guided_.end() || !guided->second.past) {
    json["rule"] = nullptr;
    json["reason"] = automatic(name) ? "nothing was decided yet"
                                     : std::string(policy::rule_text(policy::Rule::kManual));
    return json;
  }
  const Past& past = *guided->second.past;
  const policy::Decision& decision = past.decision;
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - past.when);
  json["rule"] = std::string(policy::rule_name(decision.rule));
  json["reason"] = std::string(policy::rule_text(decision.rule));
  json["age_ms"] = age.count();
  json["before_bytes"] = past.before;
  json["target_bytes"] = decision.target;
  json["figures"] = Json::object();
  for (std::size_t i = 0; i < decision.terms.size(); ++i) {
    const policy::Term term = decision.terms[i];
    json["figures"][std::string(term.name)] = term.value;
  }
  json["signs"] = Json::array();
  for (const std::string_view sign : decision.signs) json["signs"].push_back(std::string(sign));
  return json;
}

rpc::Json Autopilot::show() const {
  const Report report = this->report();
  Json json{{"law", std::string(report.law)},
            {"interval_ms", config_.interval_ms},
            {"host_pressure",
             {{"source", watch_text_},
              {"heard", watch_.has_value()},
              {"events", report.pressure_events}}},
            {"trouble", trouble_},
            {"turns", report.turns}};
  json["pools"] = Json::array();
  for (const policy::PoolObservation& pool : report.pools) json["pools"].push_back(pool_json(pool));
  json["vms"] = Json::array();
  for (const VmReport& vm : report.vms) json["vms"].push_back(vm_json(vm));
  return json;
}

}  // namespace vballoon::policy
