// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/device_fleet.hpp"

#include <utility>

#include "base/check.hpp"
#include "base/owner.hpp"
#include "vhost/balloon_device.hpp"
#include "vhost/change.hpp"
#include "vhost/closer.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/memory_claims.hpp"
#include "vhost/room.hpp"
#include "vhost/roster.hpp"
#include "vhost/seats.hpp"

namespace vballoon::vhost {
namespace {

constexpr unsigned kTicksToHurry = 50;  // 1 s, at a tick every 20 ms

}  // namespace

struct DeviceFleet::Parts {
  Parts(FleetSettings all, reclaim::Discarder& discards, const vm::Folder* keeps)
      : settings(std::move(all)),
        seats(settings.pollers, settings.worker_nodes),
        claims(settings.claims),
        discarder(discards),
        folder(keeps) {
    owner.take();
  }

  const FleetSettings settings;
  Seats seats;
  MemoryClaims claims;
  reclaim::Discarder& discarder;
  const vm::Folder* const folder;
  Room room;
  Gates gates;
  Roster roster;
  unsigned ticks = 0;
  Owner owner;  // the thread that made the fleet
};

DeviceFleet::DeviceFleet(FleetSettings settings, reclaim::Discarder& discarder,
                         const vm::Folder* folder)
    : parts_(std::make_unique<Parts>(std::move(settings), discarder, folder)) {
  VB_CHECK(!parts_->settings.pollers.empty());
  FdReserve::get().fill();
}

DeviceFleet::~DeviceFleet() {
  stop();
}

std::span<vm::Vm* const> DeviceFleet::vms() const {
  VB_OWNED(parts_->owner);
  return parts_->roster.vms();
}

Result<vm::Vm*> DeviceFleet::find(std::string_view name) const {
  VB_OWNED(parts_->owner);
  const Member* const member = parts_->roster.find(name);
  if (member == nullptr) return parts_->roster.unknown(name);
  return member->device.get();
}

Result<void> DeviceFleet::change(std::span<const std::string> remove,
                                 std::span<const vm::Settings> add) {
  VB_OWNED(parts_->owner);
  std::vector<DeviceSpec> specs;
  for (const vm::Settings& settings : add) {
    auto spec = DeviceSpec::of(settings, parts_->settings.socket_group);
    if (!spec) return tl::unexpected(spec.error());
    specs.push_back(*std::move(spec));
  }
  Change change(parts_->roster, parts_->gates, parts_->room);
  if (auto ok = change.prepare(remove, specs); !ok) return ok;
  return change.commit([parts = parts_.get()](const DeviceSpec& spec) {
    return std::make_shared<BalloonDevice>(spec, parts->seats, parts->claims, parts->discarder,
                                           parts->settings.limits, parts->folder);
  });
}

std::vector<lcore::LcoreReport> DeviceFleet::lcores() const {
  std::vector<lcore::LcoreReport> lcores = parts_->settings.lcores();
  for (const vm::Vm* vm : vms()) {
    const vm::VmFigures figures = vm->figures();
    for (lcore::LcoreReport& lcore : lcores) {
      const bool serves = lcore.role == "poll" && lcore.lcore == figures.lcore && !figures.alone;
      if (serves) ++lcore.devices;
    }
  }
  return lcores;
}

void DeviceFleet::tick() {
  VB_OWNED(parts_->owner);
  FdReserve::get().fill_again();
  if (++parts_->ticks % kTicksToHurry == 0) hurry_closer();
  for (const auto& member : parts_->roster.members()) member->device->tick();
  for (const auto& [features, gate] : parts_->gates) gate->try_again();
}

void DeviceFleet::stop() {
  VB_OWNED(parts_->owner);
  for (const auto& member : parts_->roster.members()) take_down(*member);
  // Before the listening sockets, because the gates have these in their sets.
  parts_->gates.clear();
  parts_->roster.clear();
}

}  // namespace vballoon::vhost
