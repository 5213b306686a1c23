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
  /// Shows a line to the person who started the daemon.
  std::function<void(std::string_view)> say;
};

/// Runs until SIGTERM or SIGINT. Guests run on afterwards; the sockets are removed.
/// @errors the reason why the daemon does not start, in one sentence. What was started is undone.
[[nodiscard]] Result<void> run_daemon(Config config, const DaemonHooks& hooks);

}  // namespace vballoon::service
