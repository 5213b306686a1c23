// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/arguments.hpp - the command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace vballoon::ctl {

struct Arguments {
  std::string command;  ///< list, show, set and so on
  std::string rpc;      ///< the daemon's socket; empty: the default
  bool json = false;

  std::string name;                ///< the VM
  std::string size;                ///< set
  bool all = false;                ///< set, events
  bool wait = false;               ///< set
  bool force = false;              ///< set
  unsigned timeout_s = 0;          ///< set --wait, wait, stats; 0: no timeout, or the default
  std::vector<std::string> until;  ///< wait
  std::string socket;              ///< add
  bool client = false;             ///< add
  std::vector<std::string> keys;   ///< add, set-option; each KEY=VALUE
  double interval_s = 1;           ///< watch
  bool on = false;                 ///< inhibit, prefault, reporting, policy auto
  std::string action;              ///< hint
  unsigned lcore = 0;              ///< move
  unsigned count = 0;              ///< watch, events; 0: until Ctrl-C
};

/// Declares every command and option; parsing the command line then fills *out.
void describe_arguments(CLI::App& app, Arguments* out);

/// @return an exit status where the program should end: 0 after --help, 2 for a usage error.
[[nodiscard]] std::optional<int> parse_arguments(int argc, char** argv, Arguments* out);

}  // namespace vballoon::ctl
