// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/wait.cpp - waits until something is true of a VM.
#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "command.hpp"
#include "condition.hpp"
#include "format.hpp"
#include "terminal.hpp"

namespace vballoon::ctl {
namespace {

using Clock = std::chrono::steady_clock;
using rpc::Json;

constexpr std::chrono::milliseconds kBetweenLooks{100};

/// What of the conditions does not hold, as the command line has it; empty: nothing.
std::string unmet(const Arguments& arguments, const Json& device) {
  std::string unmet;
  for (const std::string& text : arguments.until) {
    // The command line was checked.
    if (holds(parse_condition(text).value(), device)) continue;
    unmet += (unmet.empty() ? "" : ", ") + text;
  }
  return unmet;
}

int tell(const Arguments& arguments, const std::string& unmet, bool early, const Json& device) {
  const int status = unmet.empty() ? kDone : kPartly;
  const std::string why = unmet.empty() ? ""
                          : early       ? fmt::format("interrupted before {}", unmet)
                                  : fmt::format("after {} s not {}", arguments.timeout_s, unmet);
  if (arguments.json) {
    print_json({{"met", unmet.empty()}, {"why", why}, {"device", device}});
  } else if (!why.empty()) {
    fmt::print(stderr, "vballoonctl: {}: {}; it is {}, target {}, actual {}\n", arguments.name, why,
               text(device, "state"), size_field(device, "target_bytes"),
               size_field(device, "actual_bytes"));
  }
  return status;
}

}  // namespace

int run_wait(Command& command) {
  const Arguments& arguments = command.arguments;
  const std::atomic<bool>* interrupt = catch_interrupt();
  const auto ends = Clock::now() + std::chrono::seconds(arguments.timeout_s);
  for (;;) {
    const auto device = command.call("device.show", {{"name", arguments.name}});
    if (!device) return complain(command, device.error());
    const std::string missing = unmet(arguments, *device);
    const bool over = arguments.timeout_s != 0 && Clock::now() >= ends;
    if (missing.empty() || over) return tell(arguments, missing, false, *device);
    if (!sleep_unless(interrupt, kBetweenLooks)) return tell(arguments, missing, true, *device);
  }
}

}  // namespace vballoon::ctl
