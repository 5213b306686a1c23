// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/restarts.cpp - what VMs did not notice: ends of the daemon, and the next one.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "command.hpp"
#include "format.hpp"
#include "rpc/socket_path.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;
using std::chrono::milliseconds;

constexpr milliseconds kUsual{60'000};
constexpr milliseconds kEvery{20};

Json vms_of(const Json& restarts) {
  return restarts.value("vms", Json::array());
}

std::string gap(const Json& counts, std::string_view key) {
  const std::uint64_t ms = number(counts, key);
  return ms == 0 ? "-" : fmt::format("{} ms", ms);
}

std::string outlook(const Json& vm) {
  if (vm.value("outlives", false)) return "would not notice";
  return text(vm, "state") == "waiting" ? "-" : "disconnects: " + text(vm, "why_not_outlives");
}

/// The last gap of those VMs that have outlived an end.
std::uint64_t longest_last(const Json& vms) {
  std::uint64_t longest = 0;
  for (const Json& vm : vms) {
    longest = std::max(longest, number(vm.value("restarts", Json::object()), "last_ms"));
  }
  return longest;
}

/// @return the next daemon's answer to `version`; an error where none is there in time.
rpc::Outcome<Json> await_next(const Arguments& arguments, const std::string& path,
                              std::uint64_t old_pid) {
  const milliseconds patience =
      arguments.timeout_s == 0 ? kUsual : milliseconds(arguments.timeout_s * 1000);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kEvery);
    auto client = rpc::Client::connect(path);
    if (!client) continue;
    auto version = client->call("version", {}, kUsual);
    if (version && number(*version, "pid") != old_pid) return version;
  }
  return rpc::refuse(rpc::kNoAnswer,
                     fmt::format("the next daemon does not answer after {} s; its log says why. "
                                 "VMMs wait for it",
                                 patience.count() / 1000));
}

std::string served_again(const Json& restarts) {
  const Json vms = vms_of(restarts);
  const auto count = std::count_if(vms.begin(), vms.end(),
                                   [](const Json& vm) { return text(vm, "state") != "waiting"; });
  if (count == 0) return "no VM is connected";
  return fmt::format("{} VM{} not served for {} ms at most", count, count == 1 ? " was" : "s were",
                     longest_last(vms));
}

}  // namespace

int run_restarts(Command& command) {
  const auto result = command.call("daemon.restarts");
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
    return kDone;
  }
  Table table({"VM", ">RESTARTS", ">LAST", ">NOT SERVED", ">LONGEST", "AT THE NEXT"});
  const auto now =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  for (const Json& vm : vms_of(*result)) {
    const Json counts = vm.value("restarts", Json::object());
    const std::uint64_t at = number(counts, "last_at_ms");
    const auto now_ms = static_cast<std::uint64_t>(now.count());
    table.row({text(vm, "name"), fmt::format("{}", number(counts, "count")),
               at == 0 ? "-" : format_age(now_ms - std::min(at, now_ms)) + " ago",
               gap(counts, "last_ms"), gap(counts, "longest_ms"), outlook(vm)});
  }
  fmt::print("{}", table.str());
  print_warnings(command, *result);
  return kDone;
}

int run_upgrade(Command& command) {
  const Arguments& arguments = command.arguments;
  // While there is no daemon, its own path does not exist, and the default would be another one.
  const std::string path = arguments.rpc.empty() ? rpc::default_client_path() : arguments.rpc;
  const auto old = command.call("daemon.upgrade");
  if (!old) return complain(command, old.error());
  const auto next = await_next(arguments, path, number(*old, "pid"));
  if (!next) return complain(command, next.error());
  auto client = rpc::Client::connect(path);
  if (!client) return complain(command, client.error());
  const auto restarts = client->call("daemon.restarts", {}, kUsual);
  if (!restarts) return complain(command, restarts.error());
  if (arguments.json) {
    print_json({{"before", *old}, {"now", *next}, {"vms", vms_of(*restarts)}});
  } else {
    fmt::print("vballoond {} (process {}) goes on for {} (process {}): {}\n",
               text(*next, "version"), number(*next, "pid"), text(*old, "version"),
               number(*old, "pid"), served_again(*restarts));
  }
  return kDone;
}

}  // namespace vballoon::ctl
