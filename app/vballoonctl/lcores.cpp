// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/lcores.cpp - what each lcore does, a line for each.
#include <fmt/format.h>

#include "command.hpp"
#include "format.hpp"

namespace vballoon::ctl {
namespace {

std::string busy_field(const rpc::Json& lcore) {
  const std::uint64_t passes = number(lcore, "passes");
  if (passes == 0) return "-";
  const double share =
      100.0 * static_cast<double>(number(lcore, "busy_passes")) / static_cast<double>(passes);
  return fmt::format("{:.1f}%", share);
}

std::string devices_field(const rpc::Json& lcore) {
  return text(lcore, "role") == "poll" ? fmt::format("{}", number(lcore, "devices")) : "-";
}

}  // namespace

int run_lcores(Command& command) {
  const auto result = command.call("lcore.list");
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
    return kDone;
  }
  Table table({">LCORE", "CPU", ">NODE", "WORK", ">VMS", ">BUSY", "WHY"});
  for (const rpc::Json& lcore : result->value("lcores", rpc::Json::array())) {
    table.row({fmt::format("{}", number(lcore, "lcore")), text(lcore, "cpus"),
               fmt::format("{}", number(lcore, "node")), text(lcore, "role"), devices_field(lcore),
               busy_field(lcore), text(lcore, "why")});
  }
  fmt::print("{}", table.str());
  return kDone;
}

}  // namespace vballoon::ctl
