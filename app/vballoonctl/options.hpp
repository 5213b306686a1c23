// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/options.hpp - a VM's settings, between the words of a person and the daemon's JSON.
#pragma once

#include <string>
#include <vector>

#include "rpc/error.hpp"

namespace vballoon::ctl {

/// @return why it is no KEY=VALUE that `add` or `set-option` takes; else empty.
[[nodiscard]] std::string option_fault(const std::string& text);

/// @param options  each KEY=VALUE. @pre option_fault() has none in them.
void add_options(const std::vector<std::string>& options, rpc::Json* params);

/// Those that are not the default, as "packed=false, weight=200".
/// @param settings  of device.show.
[[nodiscard]] std::string changed_options(const rpc::Json& settings);

}  // namespace vballoon::ctl
