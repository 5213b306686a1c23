// SPDX-License-Identifier: BSD-3-Clause
//
// vballoond/main.cpp - arguments, checked configuration, run.
// Exit:   0 after a signal, 1 when it cannot start, 2 for a wrong argument or configuration.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "arguments.hpp"
#include "control/daemon.hpp"

namespace {

using namespace vballoon;

void say(std::string_view line) {
  fmt::print("vballoond: {}\n", line);
  std::fflush(stdout);
}

int complain(const Status& status, int exit_status) {
  fmt::print(stderr, "vballoond: {}\n", status.message);
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  daemon::Arguments arguments;
  if (const auto done = daemon::parse_arguments(argc, argv, &arguments)) return *done;
  const auto config = daemon::make_config(arguments);
  if (!config) return complain(config.error(), 2);

  control::start_log(config->log_level);
  const control::DaemonHooks hooks{[&arguments] { return daemon::make_config(arguments); }, say};
  const auto ran = control::run_daemon(*config, hooks);
  return ran ? 0 : complain(ran.error(), 1);
}
