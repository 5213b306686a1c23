// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/policy.cpp - automatic ballooning: what it does, and why.
#include <fmt/format.h>

#include <array>

#include "command.hpp"
#include "format.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

constexpr std::string_view kBytes = "_bytes";

void print_fact(std::string_view name, std::string_view value) {
  fmt::print("  {:<14} {}\n", name, value);
}

/// Prints a figure: "needs_bytes" as "needs" in MiB, any other name as a number.
void print_figure(std::string name, const Json& figures) {
  std::string value = fmt::format("{}", number(figures, name));
  if (name.ends_with(kBytes)) {
    value = size_field(figures, name);
    name.resize(name.size() - kBytes.size());
  }
  for (char& c : name) {
    if (c == '_') c = ' ';
  }
  fmt::print("    {:<16} {}\n", name, value);
}

void print_explanation(const Json& told) {
  fmt::print("{}\n", text(told, "name"));
  print_fact("ballooned", told.value("automatic", false)
                              ? fmt::format("automatically, law {}", text(told, "law"))
                              : std::string("by hand"));
  const std::string rule = text(told, "rule");
  print_fact("rule", rule.empty() ? text(told, "reason")
                                  : fmt::format("{}: {}", rule, text(told, "reason")));
  if (!told.contains("figures")) return;
  const bool moved = number(told, "target_bytes") != number(told, "before_bytes");
  print_fact("target", moved ? fmt::format("{}, was {}", size_field(told, "target_bytes"),
                                           size_field(told, "before_bytes"))
                             : fmt::format("{}, as it was", size_field(told, "target_bytes")));
  print_fact("decided", fmt::format("{} ago", format_age(number(told, "age_ms"))));
  for (const Json& sign : told.value("signs", Json::array())) {
    print_fact("guest shows", sign.get<std::string>());
  }
  const Json figures = told.value("figures", Json::object());
  if (!figures.empty()) fmt::print("  from these figures:\n");
  for (const auto& [name, value] : figures.items()) print_figure(name, figures);
}

void print_policy(const Json& policy) {
  fmt::print("law {}, every {} ms\n", text(policy, "law"), number(policy, "interval_ms"));
  const Json pressure = policy.value("host_pressure", Json::object());
  print_fact("host pressure", fmt::format("{}; {} events so far", text(pressure, "source"),
                                          number(pressure, "events")));
  if (const std::string trouble = text(policy, "trouble"); !trouble.empty()) {
    print_fact("trouble", trouble);
  }
  Table pools({"MEMORY", ">TOTAL", ">AVAILABLE", ">RESERVE"});
  for (const Json& pool : policy.value("pools", Json::array())) {
    pools.row({text(pool, "name"), size_field(pool, "total_bytes"),
               size_field(pool, "available_bytes"), size_field(pool, "reserve_bytes")});
  }
  Table vms({"VM", ">TARGET", "RULE"});
  for (const Json& vm : policy.value("vms", Json::array())) {
    const std::string rule = text(vm, "rule");
    vms.row({text(vm, "name"), size_field(vm, "target_bytes"), rule.empty() ? "-" : rule});
  }
  const bool seen = !policy.value("pools", Json::array()).empty();
  fmt::print("{}", seen ? pools.str() : "the host's memory is looked at once a VM is automatic\n");
  const bool any = !policy.value("vms", Json::array()).empty();
  fmt::print(
      "{}", any ? vms.str() : "no VM is automatic; `vballoonctl policy auto VM on` makes one so\n");
}

}  // namespace

int run_policy_show(Command& command) {
  const auto result = command.call("policy.show");
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
  } else {
    print_policy(*result);
  }
  return kDone;
}

int run_policy_explain(Command& command) {
  const auto result = command.call("policy.explain", {{"name", command.arguments.name}});
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
  } else {
    print_explanation(*result);
  }
  return kDone;
}

int run_policy_auto(Command& command) {
  const std::string& name = command.arguments.name;
  const bool on = command.arguments.on;
  const auto result = command.call("policy.auto", {{"name", name}, {"on", on}});
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
  } else {
    fmt::print("{} is ballooned {}\n", name,
               on ? "automatically; `vballoonctl policy explain " + name + "` tells why"
                  : "by hand; its target stays where it is");
    print_warnings(command, *result);
  }
  return kDone;
}

}  // namespace vballoon::ctl
