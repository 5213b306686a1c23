// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/metrics.cpp - the daemon's figures as Prometheus reads them.
#include <fmt/format.h>

#include "command.hpp"

namespace vballoon::ctl {

int run_metrics(Command& command) {
  const auto result = command.call("daemon.metrics");
  if (!result) return complain(command, result.error());
  if (command.arguments.json) {
    print_json(*result);
  } else {
    fmt::print("{}", result->value("text", std::string()));
  }
  return kDone;
}

}  // namespace vballoon::ctl
