// SPDX-License-Identifier: BSD-3-Clause
//
// vm/fleet.hpp - every VM of the host, by name.
// The daemon has a vhost::DeviceFleet. Tests have a fleet of VMs that answer at once.
// Thread: the control thread only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "lcore/report.hpp"
#include "vm/kept_settings.hpp"
#include "vm/settings.hpp"
#include "vm/vm.hpp"

namespace vballoon::vm {

class Fleet {
 public:
  virtual ~Fleet() = default;

  /// @return the VMs in the order in which they were added. The span and the VMs are valid until
  ///         the next change().
  [[nodiscard]] virtual std::span<Vm* const> vms() const = 0;

  /// @return never null.
  /// @errors kNotFound; the message has the names of the VMs.
  [[nodiscard]] virtual Result<Vm*> find(std::string_view name) const = 0;

  /// Removes VMs and adds VMs: all of them, or none. An added VM may have the name or the socket of
  /// a removed one. The guest of a removed VM keeps its balloon as it is, but the VM's state that
  /// was kept for the next daemon is removed.
  /// @errors kNotFound for a VM to remove; kInvalidArgument for an invalid name, group or path;
  ///         kAlreadyExists for a name that another VM has or a socket on which a process listens
  ///         (a stale socket file is replaced); kUnavailable where there is no room for more;
  ///         kHost.
  virtual Result<void> change(std::span<const std::string> remove,
                              std::span<const Settings> add) = 0;
  Result<void> add(const Settings& vm) { return change({}, {&vm, 1}); }
  Result<void> remove(std::string_view name) {
    const std::string one(name);
    return change({&one, 1}, {});
  }

  [[nodiscard]] virtual std::vector<lcore::LcoreReport> lcores() const = 0;

  /// What an earlier daemon knew of the VMs that it left, those that were not added here yet.
  /// Nothing where no daemon leaves any.
  [[nodiscard]] virtual std::vector<KeptSettings> left() const = 0;
  /// The next daemon, should there be one that goes on with this VM, gets these from left().
  /// @pre the VM is in the fleet.
  virtual void keep_settings(const KeptSettings& settings) = 0;
};

}  // namespace vballoon::vm
