// SPDX-License-Identifier: BSD-3-Clause
//
// service/vm_settings.hpp - what is set of each VM now, and the one way to change it while the VM
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
  /// Both outlive it.
  VmSettings(vm::Fleet& fleet, policy::Autopilot& autopilot)
      : fleet_(fleet), autopilot_(autopilot) {}

  /// The VM has been added with these.
  void begin(const vm::Settings& settings);
  /// The VM has been removed.
  void end(const std::string& name);

  /// As they are now; `automatic` as a person said, or an earlier daemon was told.
  [[nodiscard]] vm::Settings of(const std::string& name) const;

  struct Changed {
    vm::Settings now;
    std::optional<Status> no_effect;  ///< why a setting that was taken has none at present
  };
  /// A person's change of `rows` to what `to` has. All of them or none are taken.
  /// @errors kNotFound; kInvalidArgument: one needs the device anew, or they do not go together.
  Result<Changed> change(const std::string& name, const vm::Settings& to, const vm::Rows& rows);

  /// All that is live as the configuration has it now, whatever a person set since. A person's
  /// `automatic` holds until the configuration's own changes. @pre the VM is in the fleet.
  Changed take_over(const vm::Settings& settings);

 private:
  std::optional<Status> apply(const vm::Settings& settings, const vm::Rows& rows, vm::Vm* vm);

  vm::Fleet& fleet_;
  policy::Autopilot& autopilot_;
  std::map<std::string, vm::Settings, std::less<>> settings_;
};

}  // namespace vballoon::service
