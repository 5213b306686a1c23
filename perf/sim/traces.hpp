// SPDX-License-Identifier: BSD-3-Clause
//
// sim/traces.hpp - the hosts that perf/policy-sim tries the laws on.
#pragma once

#include <string>
#include <vector>

#include "sim/host.hpp"

namespace vballoon::sim {

struct Trace {
  std::string name;
  HostHabits host;
  std::vector<GuestHabits> guests;
  Time length{600'000};
  bool drawn = false;
};

/// All of them, from two VMs to a thousand. Each guest is of 2 GiB, but those of `seed`.
[[nodiscard]] std::vector<Trace> all_traces();

}  // namespace vballoon::sim
