// SPDX-License-Identifier: BSD-3-Clause
//
// vballoond/arguments.hpp - the command line, and the configuration that it leads to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "service/config/config.hpp"

namespace vballoon::daemon {

struct Arguments {
  std::string config;  ///< empty: the system's file, if it exists
  bool dev = false;
  std::vector<std::string> devices;
  std::string rpc;
  std::string state;
  std::string log_level;
  bool check_config = false;
  bool print_config = false;
};

/// @return an exit status where the program should end: 0 after --help, 2 for a usage error.
[[nodiscard]] std::optional<int> parse_arguments(int argc, char** argv, Arguments* out);

/// @return the file that is read; empty for none.
[[nodiscard]] std::string config_file(const Arguments& arguments);

/// Makes the configuration of profile, file and command line, each overriding those before it.
/// @errors those of service::load_config, parse_device_option and check_config; each line of the
///         message names the file and line, or the option.
[[nodiscard]] Result<service::Config> make_config(const Arguments& arguments);

}  // namespace vballoon::daemon
