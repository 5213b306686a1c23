// SPDX-License-Identifier: BSD-3-Clause
//
// service/events/recorder.hpp - looks at all VMs now and then, and records what happened.
// Thread: the control thread.
#pragma once

#include "policy/autopilot.hpp"
#include "service/events/event_log.hpp"
#include "service/events/watcher.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

class EventRecorder {
 public:
  EventRecorder(vm::Fleet& fleet, policy::Autopilot& autopilot, EventLog& log)
      : fleet_(fleet), autopilot_(autopilot), log_(log) {}

  /// Costs a system call for each region of each VM's memory.
  void look();

 private:
  [[nodiscard]] VmLook look_at(const vm::Vm& vm, bool first) const;

  vm::Fleet& fleet_;
  policy::Autopilot& autopilot_;
  EventLog& log_;
  EventWatcher watcher_;
  bool looked_ = false;
};

}  // namespace vballoon::service
