// SPDX-License-Identifier: BSD-3-Clause
//
// service/reloader.hpp - applies a changed configuration file to the running daemon, and logs what
//                        it did and what it could not.
// Thread: the control thread.
#pragma once

#include "base/result.hpp"
#include "service/config/config.hpp"
#include "service/reload.hpp"
#include "service/vm_settings.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

class Reloader {
 public:
  /// @param config  that was read last; what is applied is changed in it.
  Reloader(vm::Fleet& fleet, VmSettings& settings, Config* config)
      : fleet_(fleet), settings_(settings), config_(*config) {}

  /// @param after  the configuration that is read now, or all that is wrong with it.
  /// @return false: everything stays as it was.
  bool reload(Result<Config> after);

 private:
  void apply(const ReloadPlan& plan);

  vm::Fleet& fleet_;
  VmSettings& settings_;
  Config& config_;
};

}  // namespace vballoon::service
