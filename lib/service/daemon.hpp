// SPDX-License-Identifier: BSD-3-Clause
//
// service/daemon.hpp - the whole daemon, from a checked configuration to an orderly end.
// Thread: the process's first thread, which becomes the control thread.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "service/config/config.hpp"

namespace vballoon::service {

struct DaemonHooks {
  /// Reads the configuration again, for SIGHUP.
  std::function<Result<Config>()> reread;
  /// A line for the person who started us.
  std::function<void(std::string_view)> say;
};

/// Runs until SIGTERM or SIGINT. Guests keep running afterwards, sockets are removed.
/// @errors whatever kept it from starting, in one sentence; what had been started is undone.
[[nodiscard]] Result<void> run_daemon(Config config, const DaemonHooks& hooks);

}  // namespace vballoon::service
