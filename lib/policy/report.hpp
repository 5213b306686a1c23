// SPDX-License-Identifier: BSD-3-Clause
//
// policy/report.hpp - what automatic ballooning did, in figures.
// Plain values of one moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/observation.hpp"

namespace vballoon::policy {

/// An automatic VM.
struct VmReport {
  std::string name;
  std::string_view rule;     ///< that applied last, as rule_name() has it; empty: none yet
  std::uint64_t target = 0;  ///< that was decided then, in bytes
  std::uint64_t raised = 0;  ///< how often its target was made larger
  std::uint64_t lowered = 0;
};

struct Report {
  std::string_view law;
  std::uint64_t turns = 0;
  std::uint64_t pressure_events = 0;   ///< of the host
  bool host_seen = false;              ///< false: the cgroup is not there, or not to be read
  std::vector<PoolObservation> pools;  ///< of the last turn
  std::vector<VmReport> vms;           ///< by name
};

}  // namespace vballoon::policy
