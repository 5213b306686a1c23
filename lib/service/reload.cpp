// SPDX-License-Identifier: BSD-3-Clause
//
// service/reload.cpp - the differences between two configurations.
#include "service/reload.hpp"

#include <algorithm>

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

std::vector<std::string> changed_keys(const Config& before, const Config& after) {
  std::vector<std::string> keys;
  const auto note = [&keys](const auto& was, const auto& is, const char* key) {
    if (was != is) keys.emplace_back(key);
  };
  note(before.rpc_socket, after.rpc_socket, "daemon.rpc_socket");
  note(before.rpc_group, after.rpc_group, "daemon.rpc_group");
  note(before.state_dir, after.state_dir, "daemon.state_dir");
  note(before.socket_group, after.socket_group, "daemon.socket_group");
  note(before.seccomp, after.seccomp, "daemon.seccomp");
  note(before.no_huge, after.no_huge, "eal.no_huge");
  note(before.memory_mib, after.memory_mib, "eal.memory_mib");
  note(before.main_lcore, after.main_lcore, "eal.main_lcore");
  note(before.eal_args, after.eal_args, "eal.args");
  note(before.poll_lcores, after.poll_lcores, "poll.lcores");
  note(before.idle, after.idle, "poll.idle");
  note(before.reclaim_lcores, after.reclaim_lcores, "reclaim.lcores");
  note(before.window_mib, after.window_mib, "reclaim.window_mib");
  note(before.window_age_ms, after.window_age_ms, "reclaim.window_age_ms");
  note(before.hugetlb_reserve, after.hugetlb_reserve, "reclaim.hugetlb_reserve");
  note(before.max_guest_gib, after.max_guest_gib, "limits.max_guest_gib");
  note(before.max_total_gib, after.max_total_gib, "limits.max_total_gib");
  note(before.neighbours, after.neighbours, "placement.neighbours");
  note(before.policy, after.policy, "policy");
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
