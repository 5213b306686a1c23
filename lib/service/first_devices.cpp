// SPDX-License-Identifier: BSD-3-Clause
#include "service/first_devices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "service/config/config_check.hpp"

namespace vballoon::service {
namespace {

using Left = std::vector<vm::KeptSettings>;

void say_device(const vm::Settings& device, const Say& say) {
  say(fmt::format("{} {} {}", device.name,
                  device.client ? "connects to its VMM at" : "waits for its VMM on",
                  device.socket));
}

/// What was changed in an earlier daemon holds as long as the configuration is the same.
vm::KeptSettings as_left(const vm::Settings& device, const Left& left) {
  const auto same = std::find_if(left.begin(), left.end(), [&device](const auto& kept) {
    return kept.configured && kept.added == device;
  });
  return same == left.end() ? vm::KeptSettings{true, device, device} : *same;
}

}  // namespace

Result<FirstDevices> FirstDevices::add(vm::Fleet& fleet, const Config& config, const Say& say) {
  const Left left = fleet.left();
  FirstDevices first;
  for (const vm::Settings& device : config.devices) {
    if (auto added = fleet.add(device); !added) {
      return tl::unexpected(blame_device(config, device, "socket", added.error()));
    }
    first.all_.push_back(as_left(device, left));
    say_device(device, say);
  }
  for (const vm::KeptSettings& kept : left) {
    if (kept.configured || fleet.find(kept.added.name)) continue;
    if (auto added = fleet.add(kept.now); !added) {
      log::error("{}: it was added while an earlier daemon ran, and is gone: {}", kept.added.name,
                 added.error().message);
      continue;
    }
    first.all_.push_back(kept);
    say_device(kept.now, say);
  }
  return first;
}

std::vector<vm::Settings> FirstDevices::settings() const {
  std::vector<vm::Settings> all;
  for (const vm::KeptSettings& kept : all_) all.push_back(kept.now);
  return all;
}

void FirstDevices::begin(VmSettings& settings) const {
  for (const vm::KeptSettings& kept : all_) settings.resume(kept);
}

}  // namespace vballoon::service
