// SPDX-License-Identifier: BSD-3-Clause
//
// vballoond/main.cpp - arguments, checked configuration, run.
// Exit:   0 after a signal, 1 when the daemon cannot start now, 2 for a wrong argument or
//         configuration, with which the next start would end the same way.
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string_view>

#include "arguments.hpp"
#include "base/output.hpp"
#include "service/daemon.hpp"
#include "service/process/log_level.hpp"

namespace {

using namespace vballoon;

void say(std::string_view line) {
  static_cast<void>(say_line(fmt::format("vballoond: {}", line)));
}

int complain(const Status& status, int exit_status) {
  fmt::print(stderr, "vballoond: {}\n", status.message);
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  daemon::Arguments arguments;
  std::optional<int> done;
  const int printed = with_output_written("vballoond", 1, [&] {
    done = daemon::parse_arguments(argc, argv, &arguments);
    return done.value_or(0);
  });
  if (done) return printed;
  const auto config = daemon::make_config(arguments);
  if (!config) return complain(config.error(), 2);

  service::start_log(config->log_level);
  const service::DaemonHooks hooks{[&arguments] { return daemon::make_config(arguments); }, say};
  const auto ran = service::run_daemon(*config, hooks);
  if (ran) return 0;
  return complain(ran.error(), ran.error().code == Code::kInvalidArgument ? 2 : 1);
}
