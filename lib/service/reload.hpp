// SPDX-License-Identifier: BSD-3-Clause
//
// service/reload.hpp - what a changed configuration file means for a daemon that runs.
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
  std::vector<vm::Settings> switched;      ///< live settings: taken over at once
  std::vector<std::string> needs_restart;  ///< changed keys that only a start reads
  bool stats_interval_changed = false;     ///< taken over at once
};

/// @param before  the configuration as last read.
/// @param after   as read now.
/// @param present names of the devices there are now, some of which came by RPC: those stay.
[[nodiscard]] ReloadPlan plan_reload(const Config& before, const Config& after,
                                     const std::vector<std::string>& present);

}  // namespace vballoon::service
