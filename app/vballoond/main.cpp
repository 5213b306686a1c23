// SPDX-License-Identifier: BSD-3-Clause
//
// vballoond/main.cpp - arguments, checked configuration, run.
// Exit:   0 after a signal, 1 when the daemon cannot start now, 2 for a wrong argument or
//         configuration, with which the next start would end the same way.
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "base/lines.hpp"
#include "base/output.hpp"
#include "service/config/config_text.hpp"
#include "service/daemon.hpp"
#include "service/process/log_level.hpp"

namespace {

using namespace vballoon;

void say(std::string_view line) {
  static_cast<void>(say_line(fmt::format("vballoond: {}", line)));
}

/// A message may have several lines: one for each fault of the configuration.
int complain(const Status& status, int exit_status) {
  for (const std::string& line : split_lines(status.message)) {
    fmt::print(stderr, "vballoond: {}\n", line);
  }
  return exit_status;
}

/// What --check-config and --print-config are for.
int tell(const daemon::Arguments& arguments, const service::Config& config) {
  if (arguments.print_config) {
    fmt::print("{}", service::config_text(config));
    return 0;
  }
  const std::string file = daemon::config_file(arguments);
  const std::size_t devices = config.devices.size();
  fmt::print("vballoond: {}: nothing wrong; {} device{}\n", file.empty() ? "the defaults" : file,
             devices, devices == 1 ? "" : "s");
  return 0;
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
  if (arguments.check_config || arguments.print_config) {
    return with_output_written("vballoond", 1, [&] { return tell(arguments, *config); });
  }

  service::start_log(config->log_level);
  const service::DaemonHooks hooks{[&arguments] { return daemon::make_config(arguments); }, say};
  const auto ran = service::run_daemon(*config, hooks);
  if (ran) return 0;
  return complain(ran.error(), ran.error().code == Code::kInvalidArgument ? 2 : 1);
}
