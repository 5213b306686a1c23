// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/stats.cpp - a fresh sample of a guest's own figures.
#include <fmt/format.h>

#include "base/size_text.hpp"
#include "command.hpp"
#include "format.hpp"
#include "stats_text.hpp"

namespace vballoon::ctl {

using rpc::Json;

namespace {

/// @return the name of a figure without its unit.
std::string plain(const std::string& name) {
  return name.ends_with("_bytes") ? name.substr(0, name.size() - 6) : name;
}

/// A line for each of the guest's nodes.
void print_nodes(const Json& nodes) {
  for (const Json& node : nodes) {
    if (!node.is_object()) continue;
    fmt::print("    {:<29} {} free, {} of it in large pages; {} in the balloon, {} left\n",
               fmt::format("node {}", number(node, "node")), size_field(node, "free_bytes"),
               size_field(node, "free_large_bytes"), size_field(node, "balloon_bytes"),
               size_field(node, "total_bytes"));
  }
}

}  // namespace

void print_stats(const Json& stats) {
  if (!stats.is_object()) return;
  fmt::print("  the guest, {} ago:\n", format_age(number(stats, "age_ms")));
  for (const auto& [name, value] : stats.items()) {
    if (name == "age_ms" || name == "sequence" || name == "left_out" || !value.is_number_unsigned())
      continue;
    const auto figure = value.get<std::uint64_t>();
    const bool bytes = name.ends_with("_bytes");
    fmt::print("    {:<29} {}\n", plain(name),
               bytes ? format_size(figure) : std::to_string(figure));
  }
  print_nodes(stats.value("nodes", Json::array()));
  for (const Json& name : stats.value("nonsense", Json::array())) {
    if (name.is_string()) {
      fmt::print("    {:<29} unknown: what the guest says cannot be\n",
                 plain(name.get<std::string>()));
    }
  }
  if (const auto left_out = number(stats, "left_out"); left_out != 0) {
    fmt::print("    and {} more that have no name here\n", left_out);
  }
}

int run_stats(Command& command) {
  const Arguments& arguments = command.arguments;
  Json params{{"name", arguments.name}};
  if (arguments.timeout_s > 0) params["timeout_ms"] = arguments.timeout_s * 1000;
  // The daemon keeps the timeout; this limit is for a daemon that does not.
  const auto patience = std::chrono::seconds(arguments.timeout_s + 10);
  const auto result = command.client.call("device.stats", std::move(params), patience);
  if (!result) return complain(command, result.error());
  if (arguments.json) {
    print_json(*result);
    return kDone;
  }
  const std::string late =
      fmt::format(": the guest did not answer; this is its last, and it owes one for {}",
                  format_age(number(*result, "waiting_ms")));
  fmt::print("{}{}\n", arguments.name, result->value("fresh", false) ? "" : late);
  print_stats(result->value("stats", Json()));
  return kDone;
}

}  // namespace vballoon::ctl
