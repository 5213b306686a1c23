// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_fleet.hpp - the VMs of the host, each with a device that librte_vhost serves.
// librte_vhost stays behind this header.
// Thread: the thread that made the fleet, which is the control thread. Callbacks of the vhost event
//         thread reach their devices without the fleet.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "reclaim/discarder.hpp"
#include "vhost/settings.hpp"
#include "vm/fleet.hpp"
#include "vm/state/folder.hpp"

namespace vballoon::vhost {

class DeviceFleet final : public vm::Fleet {
 public:
  /// @param discarder  discards what a removed device has gathered.
  /// @param folder     keeps targets and balloons for the next daemon; null: they are not kept.
  /// Both outlive the fleet.
  DeviceFleet(FleetSettings settings, reclaim::Discarder& discarder,
              const vm::Folder* folder = nullptr);
  ~DeviceFleet() override;
  DeviceFleet(const DeviceFleet&) = delete;
  DeviceFleet& operator=(const DeviceFleet&) = delete;

  [[nodiscard]] std::span<vm::Vm* const> vms() const override;
  [[nodiscard]] Result<vm::Vm*> find(std::string_view name) const override;
  /// @errors also kUnavailable for more than kMaxDevices devices, or for more than this process may
  ///         have descriptors for.
  Result<void> change(std::span<const std::string> remove,
                      std::span<const vm::Settings> add) override;
  [[nodiscard]] std::vector<lcore::LcoreReport> lcores() const override;
  [[nodiscard]] std::vector<vm::KeptSettings> left() const override;
  void keep_settings(const vm::KeptSettings& settings) override;

  /// Takes what an earlier daemon left of its connections. Devices that are added from now on go on
  /// with theirs. @errors kHost: the limit of descriptors is too low for that.
  [[nodiscard]] Result<void> inherit(keep::Inherited& inherited);
  /// All devices are there: waits until they have their connections, and lets go of what is left.
  void finish_inheriting();

  /// Does the work of all devices that is due. The control thread calls tick() every 20 ms. tick()
  /// costs next to nothing when no work is due.
  void tick();

  /// Ends every device. The state that is kept for the next daemon stays.
  /// @param hands_on  so do connections and listening sockets, where somebody keeps them.
  void stop(bool hands_on = true);

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace vballoon::vhost
