// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/config_fuzz.cpp - a configuration file, from its text to lcores, EAL's arguments and
//                              what a reload makes of it.
#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "fuzz_input.hpp"
#include "lcore/plan.hpp"
#include "service/config/config.hpp"
#include "service/reload.hpp"

namespace vballoon::fuzz {
namespace {

using lcore::Profile;
using service::Config;

const lcore::Topology& machine() {
  static const auto topology = lcore::Topology::synthetic("node:2 core:4 pu:2").value();
  return topology;
}

/// What a checked configuration promises to those who read it.
void expect_checked(const Config& config) {
  VB_CHECK(!config.rpc_socket.empty());
  VB_CHECK(service::is_log_level(config.log_level));
  VB_CHECK(config.memory_mib >= 16);
  VB_CHECK(config.window_age_ms <= 1000);
  VB_CHECK(config.stats_interval_ms == 0 || config.stats_interval_ms >= 100);
  VB_CHECK(service::check_devices(config.devices).has_value());
}

void plan(const Config& config) {
  const lcore::Cpus cpus{{0, 1, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {10, 11}};
  const auto lcores = lcore::plan_lcores(config, cpus, machine());
  if (!lcores) {
    VB_CHECK(!lcores.error().message.empty());
    return;
  }
  VB_CHECK(!lcores->poll.empty());
  const auto arguments = lcore::eal_arguments(config, *lcores);
  const auto has_zero = [](const std::string& argument) {
    return argument.find('\0') != std::string::npos;
  };
  VB_CHECK(std::none_of(arguments.begin(), arguments.end(), has_zero));
}

void reload(const Config& before, const Config& after) {
  std::vector<std::string> present;
  for (const auto& device : before.devices) present.push_back(device.name);
  const auto same = service::plan_reload(before, before, present);
  VB_CHECK(same.add.empty() && same.remove.empty() && same.needs_restart.empty());
  const auto gone = service::plan_reload(before, after, present);
  VB_CHECK(gone.remove.size() == before.devices.size() && gone.add.empty());
}

}  // namespace

void run(Input input) {
  const auto bytes = input.bytes(std::numeric_limits<std::size_t>::max());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Profile profile : {Profile::kProduction, Profile::kDevelopment}) {
    const auto config = service::parse_config(text, "f.toml", profile);
    if (!config) {
      VB_CHECK(config.error().message.starts_with("f.toml:"));
      continue;
    }
    expect_checked(*config);
    plan(*config);
    reload(*config, service::default_config(profile));
  }
  if (const auto device = service::parse_device_option(text)) {
    VB_CHECK(!device->name.empty() && !device->socket.empty());
  }
}

}  // namespace vballoon::fuzz
