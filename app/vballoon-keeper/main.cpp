// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-keeper/main.cpp - arguments, run.
// Exit:   as the daemon, or 128 and the signal that ended it; 1 when the keeper cannot start, 2 for
//         a wrong argument, 127 when the daemon is no program.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>

#include "base/output.hpp"
#include "keeper.hpp"

namespace {

using namespace vballoon;

constexpr const char* kFooter = R"(
Example:
  vballoon-keeper vballoond --config /etc/vballoon/vballoond.toml

SIGTERM ends the daemon, and the keeper with it. SIGUSR1 ends the daemon and starts the program that
is there now. SIGHUP goes to the daemon. See vballoon-keeper(8), vballoond(8).)";

/// @return an exit status when there is nothing left to do: 0 after --help, 2 for a usage error.
std::optional<int> parse(int argc, char** argv, keeper::Settings* out) {
  CLI::App app(
      "Starts vballoond, again where it ends, and keeps its VMs' descriptors meanwhile.\n"
      "The daemon and its arguments come last.\n",
      "vballoon-keeper");
  app.set_version_flag("--version", "vballoon-keeper " VBALLOON_VERSION);
  app.add_option("--max", out->max, "Descriptors kept at a time; 4096 by default")
      ->check(CLI::Range(1, 100000));
  app.add_option("--longest-pause", out->longest_pause_s,
                 "Seconds between a crash and the next start, at most; 10 by default")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--steady", out->steady_s,
                 "A daemon that was up for so many seconds is started at once again; 10 by default")
      ->check(CLI::Range(0.0, 86400.0));
  app.prefix_command()->footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  out->daemon = app.remaining();
  if (!out->daemon.empty() && out->daemon[0] == "--") out->daemon.erase(out->daemon.begin());
  if (!out->daemon.empty() && !out->daemon[0].starts_with('-')) return std::nullopt;
  fmt::print(stderr, "vballoon-keeper: {}; see --help\n",
             out->daemon.empty() ? "which daemon is to be started?"
                                 : fmt::format("unknown option '{}'", out->daemon[0]));
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  keeper::Settings settings;
  std::optional<int> done;
  const int printed = with_output_written("vballoon-keeper", 1, [&] {
    done = parse(argc, argv, &settings);
    return done.value_or(0);
  });
  if (done) return printed;
  const auto ended = keeper::Keeper(settings).run();
  if (ended) return *ended;
  fmt::print(stderr, "vballoon-keeper: {}\n", ended.error().message);
  return 1;
}
