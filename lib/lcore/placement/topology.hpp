// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/placement/topology.hpp - which cpus share a core, and which memory is near them.
// hwloc stays behind this header. Plain values.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "lcore/placement/cpus.hpp"

namespace vballoon::lcore {

/// A cpu as Linux numbers it, a core as hwloc counts them, a NUMA node as Linux numbers it.
struct CpuPlace {
  unsigned cpu = 0;
  unsigned core = 0;
  unsigned node = 0;
};

class Topology {
 public:
  explicit Topology(std::vector<CpuPlace> cpus) : cpus_(std::move(cpus)) {}

  /// @errors kHost when hwloc cannot read the machine.
  [[nodiscard]] static Result<Topology> of_this_host();
  /// @param description  in hwloc's synthetic syntax, "node:2 core:4 pu:2".
  /// @errors kInvalidArgument when hwloc does not accept the description.
  /// @source hwloc 2, "Synthetic topologies"
  [[nodiscard]] static Result<Topology> synthetic(const std::string& description);

  /// @return for an unknown cpu, a core of its own on node 0.
  [[nodiscard]] CpuPlace where(unsigned cpu) const noexcept;
  /// Whether another cpu, one of the list, is a hyperthread of the same core.
  [[nodiscard]] bool shares_core(unsigned cpu, const CpuList& with) const noexcept;

  [[nodiscard]] const std::vector<CpuPlace>& cpus() const noexcept { return cpus_; }

 private:
  std::vector<CpuPlace> cpus_;
};

}  // namespace vballoon::lcore
