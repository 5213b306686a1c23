// SPDX-License-Identifier: BSD-3-Clause
//
// observed.hpp - one host and its VMs, as a law sees them, to be changed by a test at will.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.hpp"
#include "policy/law.hpp"

namespace vballoon::policy {

/// Half of a guest of 1 GiB is in use; the balloon is empty. It answered a moment ago.
inline VmObservation running_vm(const std::string& name) {
  VmObservation vm;
  vm.name = name;
  vm.automatic = vm.running = true;
  vm.guest = kGiB;
  vm.resident = kGiB;
  vm.sample = GuestSample();
  vm.sample->sequence = 1;
  vm.sample->available = 512 * kMiB;
  return vm;
}

/// A host of 16 GiB with 8 GiB available, of which 1 GiB is to stay.
inline Observation host_with(std::initializer_list<VmObservation> vms) {
  Observation seen;
  seen.now = Time(1'000'000);
  seen.pools.push_back({"host", 16 * kGiB, 8 * kGiB, kGiB, 0});
  seen.vms = vms;
  return seen;
}

/// A second later: all drivers did as they were told, and answered again.
inline void next_second(const std::vector<Decision>& decisions, Observation* seen) {
  seen->now += Time(1000);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    VmObservation& vm = seen->vms[i];
    vm.target = vm.actual = decisions[i].target;
    if (vm.sample) ++vm.sample->sequence;
  }
}

}  // namespace vballoon::policy
