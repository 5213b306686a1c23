// SPDX-License-Identifier: BSD-3-Clause
//
// service/reload.hpp - what a changed configuration file means for the running daemon.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "service/config/config.hpp"

namespace vballoon::service {

/// Removals come before additions: a device whose socket changed is in both.
struct ReloadPlan {
  std::vector<std::string> remove;
  std::vector<vm::Settings> add;
  std::vector<vm::Settings> switched;      ///< devices of which only live settings changed
  std::vector<std::string> needs_restart;  ///< changed keys that only a start reads
  bool stats_interval_changed = false;     ///< applied at once
};

/// @param before  the configuration that was read last.
/// @param after   the configuration that is read now.
/// @param present the names of the present devices. Devices that came by RPC stay.
[[nodiscard]] ReloadPlan plan_reload(const Config& before, const Config& after,
                                     const std::vector<std::string>& present);

}  // namespace vballoon::service
