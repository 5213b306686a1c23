// SPDX-License-Identifier: BSD-3-Clause
//
// policy/policy_config.hpp - the operator's settings of the policy.
#pragma once

#include <cstdint>
#include <string>

namespace vballoon::policy {

/// [policy]
struct PolicyConfig {
  std::string law = "balance";  ///< or "pressure"
  std::uint64_t interval_ms = 1000;
  std::string cgroup;                   ///< folder of the memory cgroup that counts as the host
  std::string host_pressure = "auto";   ///< "auto", "psi", "cgroup" or "none"
  std::string pressure_level = "low";   ///< of cgroup v1: "low", "medium" or "critical"
  std::uint64_t psi_stall_ms = 100;     ///< an event: tasks wait so long for memory ...
  std::uint64_t psi_window_ms = 2000;   ///< ... within such a window
  std::uint64_t reserve_mib = 0;        ///< what is to stay available; 0: by the size of the host
  std::uint64_t step_mib = 32;          ///< law pressure
  std::uint64_t guest_pressure_s = 60;  ///< law pressure
  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

}  // namespace vballoon::policy
