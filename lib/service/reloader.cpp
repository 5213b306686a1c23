// SPDX-License-Identifier: BSD-3-Clause
#include "service/reloader.hpp"

#include <string>
#include <utility>
#include <vector>

#include "base/lines.hpp"
#include "base/log.hpp"
#include "service/process/log_level.hpp"

namespace vballoon::service {

bool Reloader::reload(Result<Config> after) {
  if (!after) {
    for (const std::string& fault : split_lines(after.error().message)) {
      log::error("reload: {}", fault);
    }
    log::error("reload: everything stays as it was");
    return false;
  }
  std::vector<std::string> present;
  for (const vm::Vm* vm : fleet_.vms()) present.push_back(vm->settings().name);
  const ReloadPlan plan = plan_reload(config_, *after, present);
  if (auto changed = fleet_.change(plan.remove, plan.add); !changed) {
    log::error("reload: {}; everything stays as it was", changed.error().message);
    return false;
  }
  apply(plan);
  if (plan.stats_interval_changed) {
    log::info("reload: stats.interval_ms is now {}", after->stats_interval_ms);
  }
  if (config_.log_level != after->log_level) change_log_level(after->log_level);
  config_.log_level = after->log_level;
  config_.devices = std::move(after->devices);
  config_.stats_interval_ms = after->stats_interval_ms;
  return true;
}

/// Applies the rest of the plan. @pre the fleet has removed and added the devices.
void Reloader::apply(const ReloadPlan& plan) {
  for (const std::string& name : plan.remove) {
    settings_.end(name);
    log::info("reload: {} removed", name);
  }
  for (const vm::Settings& device : plan.add) {
    settings_.begin(device, true);
    log::info("reload: {} added on {}", device.name, device.socket);
  }
  for (const vm::Settings& device : plan.switched) {
    const auto changed = settings_.take_over(device);
    if (changed.no_effect) log::warn("reload: {}", changed.no_effect->message);
    log::info("reload: {}: {}", device.name, vm::text_of(vm::live_settings(), changed.now));
  }
  for (const std::string& key : plan.needs_restart) {
    log::warn("reload: {} changed; that needs a restart", key);
  }
  if (plan.remove.empty() && plan.add.empty()) log::info("reload: the devices are the same");
}

}  // namespace vballoon::service
