// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/options.hpp - a VM's settings: KEY=VALUE on the command line, JSON for the daemon.
#pragma once

#include <string>
#include <vector>

#include "rpc/error.hpp"

namespace vballoon::ctl {

/// @return why `add` and `set-option` do not take this KEY=VALUE; empty where they take it.
[[nodiscard]] std::string option_fault(const std::string& text);

/// @param options  each KEY=VALUE. @pre option_fault() is empty for each.
void add_options(const std::vector<std::string>& options, rpc::Json* params);

/// @return the settings that differ from their defaults, as "packed=false, weight=200".
/// @param settings  the settings in the result of device.show.
[[nodiscard]] std::string changed_options(const rpc::Json& settings);

}  // namespace vballoon::ctl
