// SPDX-License-Identifier: BSD-3-Clause
//
// service/reload.cpp - the differences between two configurations.
#include "service/reload.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "service/config/config_text.hpp"

namespace vballoon::service {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// @return the settings that the running device can take on without a new device, or null.
const vm::Settings* same(const std::vector<vm::Settings>& devices, const vm::Settings& device) {
  const auto at = std::find_if(devices.begin(), devices.end(), [&](const vm::Settings& other) {
    return !vm::needs_new_device(device, other);
  });
  return at == devices.end() ? nullptr : &*at;
}

/// These take effect at once.
constexpr std::array<std::string_view, 2> kLive{"daemon.log_level", "stats.interval_ms"};

std::vector<std::string> changed_keys(const Config& before, const Config& after) {
  const auto was = key_texts(before), is = key_texts(after);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < is.size(); ++i) {
    if (was[i] == is[i] || std::ranges::find(kLive, is[i].name()) != kLive.end()) continue;
    keys.push_back(is[i].name());
  }
  return keys;
}

}  // namespace

ReloadPlan plan_reload(const Config& before, const Config& after,
                       const std::vector<std::string>& present) {
  ReloadPlan plan;
  plan.needs_restart = changed_keys(before, after);
  plan.stats_interval_changed = before.stats_interval_ms != after.stats_interval_ms;
  for (const vm::Settings& device : before.devices) {
    if (!has(present, device.name)) continue;
    const vm::Settings* now = same(after.devices, device);
    if (now == nullptr) {
      plan.remove.push_back(device.name);
    } else if (*now != device) {
      plan.switched.push_back(*now);
    }
  }
  for (const vm::Settings& device : after.devices) {
    if (!has(present, device.name) || has(plan.remove, device.name)) plan.add.push_back(device);
  }
  return plan;
}

}  // namespace vballoon::service
