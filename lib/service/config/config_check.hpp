// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config_check.hpp - what no single key shows to be wrong, and where a wrong one
//                                   stands.
// Asks the host for its groups and paths.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "service/config/config.hpp"

namespace vballoon::service {

/// Names and paths that can be, each once however it is spelled, and groups that this host has. For
/// a configuration as a whole, command line and all: at the start, and before a reload acts.
/// @errors kInvalidArgument; the message begins with the file and line, or the option.
[[nodiscard]] Result<void> check_config(const Config& config);

/// The same error, blamed on this key of the configuration: with the place where that stands in
/// front. What is not there (kNotFound) becomes kInvalidArgument, for it was named here.
[[nodiscard]] Status blame(const Config& config, std::string_view key, Status status);

/// For a message that begins with the key itself, as in "poll.lcores: cpu 9 ...".
[[nodiscard]] Status blame_named(const Config& config, Status status);

/// For a key of one device.
[[nodiscard]] Status blame_device(const Config& config, const vm::Settings& device,
                                  std::string_view key, Status status);

}  // namespace vballoon::service
