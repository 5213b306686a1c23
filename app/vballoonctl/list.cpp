// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/list.cpp - all VMs, a line for each.
#include <fmt/format.h>

#include "command.hpp"
#include "format.hpp"

namespace vballoon::ctl {

int run_list(Command& command) {
  const auto result = command.call("device.list");
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
    return kDone;
  }
  const rpc::Json devices = result->value("devices", rpc::Json::array());
  if (devices.empty()) {
    fmt::print("no VMs yet; add one: vballoonctl add NAME SOCKET\n");
    print_warnings(command, *result);
    return kDone;
  }
  Table table({"NAME", "STATE", ">GUEST", ">TARGET", ">ACTUAL", ">RECLAIMED", ">RESIDENT", "AUTO",
               "SOCKET"});
  for (const rpc::Json& device : devices) {
    table.row({text(device, "name"), state_field(device), guest_field(device), target_field(device),
               size_field(device, "actual_bytes"), size_field(device, "reclaimed_bytes"),
               size_field(device, "resident_bytes"),
               device.value("automatic", false) ? "yes" : "no", text(device, "socket")});
  }
  fmt::print("{}", table.str());
  for (const rpc::Json& device : devices) {
    if (text(device, "state") != "set-aside") continue;
    fmt::print("{}: {}\n", text(device, "name"), text(device, "reason"));
  }
  print_warnings(command, *result);
  return kDone;
}

}  // namespace vballoon::ctl
