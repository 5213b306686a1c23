// SPDX-License-Identifier: BSD-3-Clause
//
// service/first_devices.hpp - the devices at the start: the configuration's, and those that clients
//                             added to an earlier daemon, where somebody kept them.
// Thread: the control thread.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "service/config/config.hpp"
#include "service/vm_settings.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

using Say = std::function<void(std::string_view)>;

class FirstDevices {
 public:
  /// Adds all of them. One of a client's that cannot be added any more is left out, and the log
  /// says why. @param say  is told of each. All arguments outlive this.
  /// @errors as vm::Fleet::add(), with the place in the configuration.
  [[nodiscard]] static Result<FirstDevices> add(vm::Fleet& fleet, const Config& config,
                                                const Say& say);

  /// Their settings as they are now.
  [[nodiscard]] std::vector<vm::Settings> settings() const;
  /// Tells these of each.
  void begin(VmSettings& settings) const;

 private:
  std::vector<vm::KeptSettings> all_;
};

}  // namespace vballoon::service
