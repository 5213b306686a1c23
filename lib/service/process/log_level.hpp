// SPDX-License-Identifier: BSD-3-Clause
//
// service/process/log_level.hpp - where the log goes, and how much of it.
// Thread: the control thread.
#pragma once

#include <string>

namespace vballoon::service {

/// Routes the log to standard error.
/// @param level  trace, debug, info, warning or error.
void start_log(const std::string& level);

/// Changes the level of the daemon's lines and of DPDK's, and logs that. @pre EAL has started.
void change_log_level(const std::string& level);

}  // namespace vballoon::service
