// SPDX-License-Identifier: BSD-3-Clause
//
// service/vm_settings.hpp - each VM's present settings, and the one way to change them while the VM
//                           is served.
// Thread: the control thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "policy/autopilot.hpp"
#include "vm/fleet.hpp"
#include "vm/settings.hpp"

namespace vballoon::service {

class VmSettings {
 public:
  /// Both arguments outlive this object.
  VmSettings(vm::Fleet& fleet, policy::Autopilot& autopilot)
      : fleet_(fleet), autopilot_(autopilot) {}

  /// Call it after a VM was added with these settings.
  /// @param configured  by the configuration, and not by a client.
  void begin(const vm::Settings& settings, bool configured);
  /// The same, where an earlier daemon had the VM: what was changed there is changed here.
  /// @pre the VM is in the fleet.
  void resume(const vm::KeptSettings& kept);
  /// Call it after a VM was removed.
  void end(const std::string& name);

  /// @return the present settings. `automatic` follows the last word of a person, also one to an
  ///         earlier daemon.
  [[nodiscard]] vm::Settings of(const std::string& name) const;

  struct Changed {
    vm::Settings now;
    std::optional<Status> no_effect;  ///< why an accepted setting has no effect at present
  };
  /// A person's change: sets `rows` to the values of `to`. All rows change, or none.
  /// @errors kNotFound for an unknown VM; kInvalidArgument when a setting needs a new device, or
  ///         the settings do not go together.
  Result<Changed> change(const std::string& name, const vm::Settings& to, const vm::Rows& rows);

  /// Sets all live settings to the configuration's values, whatever a person has set since. But a
  /// person's word on `automatic` holds until the configuration's own value changes.
  /// @pre the VM is in the fleet.
  Changed take_over(const vm::Settings& settings);

 private:
  void set(const vm::KeptSettings& settings);
  std::optional<Status> apply(const vm::Settings& settings, const vm::Rows& rows, vm::Vm* vm);

  vm::Fleet& fleet_;
  policy::Autopilot& autopilot_;
  std::map<std::string, vm::KeptSettings, std::less<>> settings_;
};

}  // namespace vballoon::service
