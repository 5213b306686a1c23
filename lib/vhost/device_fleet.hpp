// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_fleet.hpp - the VMs of the host as librte_vhost serves them, a device each.
// librte_vhost stays behind this header.
// Thread: the one that made it, the control thread. Callbacks of the vhost event thread reach their
//         devices without it.
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
  /// @param discarder  with which a device that is removed gives back what it had gathered.
  /// @param folder     where targets and balloons are kept for the next daemon; null: nowhere.
  /// Both outlive the fleet.
  DeviceFleet(FleetSettings settings, reclaim::Discarder& discarder,
              const vm::Folder* folder = nullptr);
  ~DeviceFleet() override;
  DeviceFleet(const DeviceFleet&) = delete;
  DeviceFleet& operator=(const DeviceFleet&) = delete;

  [[nodiscard]] std::span<vm::Vm* const> vms() const override;
  [[nodiscard]] Result<vm::Vm*> find(std::string_view name) const override;
  /// @errors also kUnavailable where there are kMaxDevices, or more than this process may have
  ///         descriptors for.
  Result<void> change(std::span<const std::string> remove,
                      std::span<const vm::Settings> add) override;
  [[nodiscard]] std::vector<lcore::LcoreReport> lcores() const override;

  /// What is due of any device and nobody waits for. The control thread calls it every few tens of
  /// milliseconds; costs next to nothing when nothing is due.
  void tick();

  /// Ends every device; what is kept of it is there for the next daemon.
  void stop();

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace vballoon::vhost
