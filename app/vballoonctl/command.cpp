// SPDX-License-Identifier: BSD-3-Clause
#include "command.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "base/printable.hpp"
#include "rpc/message.hpp"
#include "rpc/socket_path.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

// The daemon answers at once, unless it is starting or stopping.
constexpr std::chrono::seconds kCallTimeout{10};

struct Entry {
  std::string_view name;
  int (*run)(Command&);
};
constexpr std::array<Entry, 23> kCommands{{{"list", run_list},
                                           {"show", run_show},
                                           {"set", run_set},
                                           {"stats", run_stats},
                                           {"watch", run_watch},
                                           {"wait", run_wait},
                                           {"events", run_events},
                                           {"add", run_add},
                                           {"set-option", run_set_option},
                                           {"remove", run_remove},
                                           {"inhibit", run_inhibit},
                                           {"prefault", run_prefault},
                                           {"reporting", run_reporting},
                                           {"hint", run_hint},
                                           {"move", run_move},
                                           {"readmit", run_readmit},
                                           {"lcores", run_lcores},
                                           {"restarts", run_restarts},
                                           {"upgrade", run_upgrade},
                                           {"metrics", run_metrics},
                                           {"policy show", run_policy_show},
                                           {"policy explain", run_policy_explain},
                                           {"policy auto", run_policy_auto}}};

}  // namespace

rpc::Outcome<Json> Command::call(std::string_view method, Json params) {
  return client.call(method, std::move(params), kCallTimeout);
}

int status_of(const rpc::Error& error) noexcept {
  const bool unreachable = error.code == rpc::kUnreachable || error.code == rpc::kForbidden ||
                           error.code == rpc::kNoAnswer;
  return unreachable ? kNoDaemon : kRefused;
}

int complain(bool json, const rpc::Error& error) {
  if (json) {
    print_json(Json{{"error", rpc::to_json(error)}});
  } else {
    fmt::print(stderr, "vballoonctl: {}\n", printable(error.message));
  }
  return status_of(error);
}

int complain(const Command& command, const rpc::Error& error) {
  return complain(command.arguments.json, error);
}

void print_warnings(const Command& command, const Json& result) {
  print_warnings(command, command.arguments.name, result);
}

void print_warnings(const Command& command, const std::string& name, const Json& result) {
  if (command.arguments.json) return;
  for (const Json& warning : result.value("warnings", Json::array())) {
    if (!warning.is_string()) continue;
    fmt::print(stderr, "vballoonctl: {}{}warning: {}\n", name, name.empty() ? "" : ": ",
               printable(warning.get<std::string>()));
  }
}

void print_json(const Json& result) {
  fmt::print("{}\n", rpc::dump(result, 2));
}

int run(const Arguments& arguments) {
  auto client =
      rpc::Client::connect(arguments.rpc.empty() ? rpc::default_client_path() : arguments.rpc);
  if (!client) return complain(arguments.json, client.error());
  Command command{arguments, std::move(*client)};
  for (const Entry& entry : kCommands) {
    if (entry.name == arguments.command) return entry.run(command);
  }
  return kUsage;
}

}  // namespace vballoon::ctl
