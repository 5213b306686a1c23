// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/manage.cpp - commands that change how VMs are served while the daemon runs.
#include <fmt/format.h>

#include <filesystem>

#include "command.hpp"
#include "options.hpp"

namespace vballoon::ctl {

using rpc::Json;

namespace {

int finish(Command& command, const rpc::Outcome<rpc::Json>& result, std::string_view said) {
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
  } else {
    fmt::print("{}\n", said);
    print_warnings(command, *result);
  }
  return kDone;
}

}  // namespace

int run_add(Command& command) {
  const Arguments& arguments = command.arguments;
  // The daemon's working folder is another one than the caller's.
  std::error_code ignored;
  std::string socket = std::filesystem::absolute(arguments.socket, ignored).lexically_normal();
  if (socket.empty()) socket = arguments.socket;
  Json params{{"name", arguments.name},
              {"socket", socket},
              {"mode", arguments.client ? "client" : "server"}};
  add_options(arguments.keys, &params);
  const auto result = command.call("device.add", std::move(params));
  return finish(
      command, result,
      fmt::format("{} {} {}", arguments.name,
                  arguments.client ? "connects to its VMM at" : "waits for its VMM on", socket));
}

int run_set_option(Command& command) {
  const Arguments& arguments = command.arguments;
  Json params{{"name", arguments.name}};
  add_options(arguments.keys, &params);
  return finish(command, command.call("device.configure", std::move(params)),
                fmt::format("{}: {}", arguments.name, fmt::join(arguments.keys, ", ")));
}

int run_remove(Command& command) {
  const std::string& name = command.arguments.name;
  return finish(command, command.call("device.remove", {{"name", name}}),
                fmt::format("{} removed", name));
}

int run_inhibit(Command& command) {
  const std::string& name = command.arguments.name;
  const bool on = command.arguments.on;
  return finish(
      command, command.call("device.inhibit", {{"name", name}, {"on", on}}),
      on ? fmt::format("{}: nothing is discarded until `vballoonctl inhibit {} off`", name, name)
         : fmt::format("{}: memory is discarded again", name));
}

int run_prefault(Command& command) {
  const std::string& name = command.arguments.name;
  const bool on = command.arguments.on;
  return finish(command, command.call("device.prefault", {{"name", name}, {"on", on}}),
                fmt::format("{}: pages are {} before the guest gets them back", name,
                            on ? "fetched" : "not fetched"));
}

int run_reporting(Command& command) {
  const std::string& name = command.arguments.name;
  const bool on = command.arguments.on;
  return finish(command, command.call("device.reporting", {{"name", name}, {"on", on}}),
                fmt::format("{}: free pages that the guest reports are {}", name,
                            on ? "given to the host" : "kept"));
}

int run_hint(Command& command) {
  const Arguments& arguments = command.arguments;
  const auto result =
      command.call("device.hint", {{"name", arguments.name}, {"action", arguments.action}});
  const char* said = "the guest may use its pages again";
  if (arguments.action == "start") said = "the guest is asked which pages are free";
  if (arguments.action == "stop") said = "the guest is asked no more";
  return finish(command, result, fmt::format("{}: {}; see `show`", arguments.name, said));
}

int run_move(Command& command) {
  const Arguments& arguments = command.arguments;
  return finish(command,
                command.call("device.move", {{"name", arguments.name}, {"lcore", arguments.lcore}}),
                fmt::format("{} is served by lcore {}", arguments.name, arguments.lcore));
}

int run_readmit(Command& command) {
  const std::string& name = command.arguments.name;
  return finish(command, command.call("device.readmit", {{"name", name}}),
                fmt::format("{} is served; crashes of its doing are forgotten", name));
}

}  // namespace vballoon::ctl
