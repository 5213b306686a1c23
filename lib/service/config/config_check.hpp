// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config_check.hpp - checks of the configuration as a whole, and the file and line
//                                   that an error is about.
// Asks the host for its groups and paths.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "service/config/config.hpp"

namespace vballoon::service {

/// Checks that names and paths are valid, that no two sockets are the same file however their paths
/// are spelled, and that the host has the groups. The configuration includes the command line. The
/// daemon checks it at the start, and before a reload acts.
/// @errors kInvalidArgument: all that is wrong, a line each, which begins with the file and line,
///         or the option.
[[nodiscard]] Result<void> check_config(const Config& config);

/// Blames an error on a key: puts the file and line of the key, or its option, before the message.
/// kNotFound becomes kInvalidArgument, because the configuration named what does not exist.
[[nodiscard]] Status blame(const Config& config, std::string_view key, Status status);

/// Blames an error on the key that its message begins with, as in "poll.lcores: cpu 9 ...".
[[nodiscard]] Status blame_named(const Config& config, Status status);

/// Blames an error on a key of one device.
[[nodiscard]] Status blame_device(const Config& config, const vm::Settings& device,
                                  std::string_view key, Status status);

}  // namespace vballoon::service
