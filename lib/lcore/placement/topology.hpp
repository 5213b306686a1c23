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
  /// @errors kInvalidArgument when it is none.
  /// @source hwloc 2, "Synthetic topologies"
  [[nodiscard]] static Result<Topology> synthetic(const std::string& description);

  /// Of a cpu that is not known: a core of its own, on node 0.
  [[nodiscard]] CpuPlace where(unsigned cpu) const noexcept;
  /// Whether the cpu is a hyperthread of a core that one of the list is on too.
  [[nodiscard]] bool shares_core(unsigned cpu, const CpuList& with) const noexcept;

  [[nodiscard]] const std::vector<CpuPlace>& cpus() const noexcept { return cpus_; }

 private:
  std::vector<CpuPlace> cpus_;
};

}  // namespace vballoon::lcore
