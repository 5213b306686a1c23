// SPDX-License-Identifier: BSD-3-Clause
//
// service/telemetry/telemetry.cpp - the commands, and DPDK's threads that ask.
#include "service/telemetry/telemetry.hpp"

#include <rte_telemetry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "service/telemetry/desk.hpp"
#include "service/telemetry/form.hpp"
#include "service/telemetry/tel_data.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

/// The control thread answers within a millisecond as a rule. A reload of many devices, or a VMM's
/// message that waits for its memory, may hold it up for longer.
constexpr std::chrono::seconds kPatience{2};

/// Is never destroyed: threads of telemetry's run until the process is gone, past static objects.
Desk& desk() {
  static Desk* const the = new Desk;  // NOLINT(cppcoreguidelines-owning-memory)
  return *the;
}

bool is_of_stats(std::string_view key) {
  return key == "counters" || key.starts_with("stats");
}

/// @return what `show` tells of a VM, but for counters and statistics.
Json info_of(const Json& device) {
  Json info = Json::object();
  for (const auto& [key, value] : device.items()) {
    if (!is_of_stats(key)) info[key] = value;
  }
  return info;
}

/// @return the rest, and whose it is.
Json stats_of(const Json& device) {
  Json stats{{"name", device.at("name")}};
  for (const auto& [key, value] : device.items()) {
    if (is_of_stats(key)) stats[key] = value;
  }
  return stats;
}

Json all_of(const Json& answer) {
  return answer;
}

struct Command {
  const char* name;
  const char* help;
  Answer (*ask)(const Answers& answers, const std::string& parameter);  ///< the control thread
  Json (*pick)(const Json& answer);                                     ///< of it, what is sent
};

Answer ask_names(const Answers& answers, const std::string& parameter) {
  return answers.names(parameter);
}
Answer ask_device(const Answers& answers, const std::string& parameter) {
  return answers.device(parameter);
}
Answer ask_lcores(const Answers& answers, const std::string& parameter) {
  if (parameter.empty()) return answers.lcores();
  return rpc::refuse(rpc::kInvalidParams, "it takes no parameter");
}

constexpr std::array<Command, 4> kCommands{{
    {"/balloon/list",
     "Returns names of VMs. Parameters: none, or string name, for those that come after it",
     ask_names, all_of},
    {"/balloon/info", "Returns state and sizes of a VM. Parameters: string name", ask_device,
     info_of},
    {"/balloon/stats",
     "Returns counters of a VM and its guest's own figures. Parameters: string name", ask_device,
     stats_of},
    {"/balloon/lcores", "Returns the daemon's lcores and what they did. Takes no parameters",
     ask_lcores, all_of},
}};

Json answer_to(const Command& command, std::string parameter) {
  const auto ask = [&command, parameter = std::move(parameter)](const Answers& answers) {
    return command.ask(answers, parameter);
  };
  const Answer answer = desk().ask(ask, kPatience);
  if (!answer) return error_form(answer.error().message);
  return telemetry_form(command.pick(Json::parse(answer->text)));
}

/// Thread: one of DPDK's, for each client. @return negative: DPDK answers null.
int handle(const char* name, const char* parameter, rte_tel_data* data) noexcept {
  const auto* const command =
      std::find_if(kCommands.begin(), kCommands.end(),
                   [name](const Command& one) { return std::strcmp(one.name, name) == 0; });
  if (command == kCommands.end()) return -EINVAL;
  const int failed = fill(answer_to(*command, parameter == nullptr ? "" : parameter), data);
  return failed > 0 ? -failed : failed;
}

void register_commands() {
  for (const Command& command : kCommands) {
    if (const int failed = rte_telemetry_register_cmd(command.name, handle, command.help);
        failed != 0) {
      log::warn("DPDK's telemetry does not take {}: {}", command.name, std::strerror(-failed));
    }
  }
}

}  // namespace

Telemetry::Telemetry(asio::io_context& loop, const vm::Fleet& fleet, const VmSettings& settings)
    : answers_(fleet, settings) {
  desk().open(loop, answers_);
  static const bool registered = (register_commands(), true);
  static_cast<void>(registered);
}

Telemetry::~Telemetry() {
  desk().close();
}

}  // namespace vballoon::service

/// In place of the C library's, which has one place in a text for all threads. DPDK's telemetry
/// calls it in a thread for each client (22.11; strtok_r later): one client's parameter would be
/// another one's.
extern "C" char* strtok(char* text, const char* delimiters) noexcept {
  static thread_local char* rest = nullptr;
  return ::strtok_r(text, delimiters, &rest);
}
