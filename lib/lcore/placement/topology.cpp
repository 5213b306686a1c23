// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/placement/topology.hpp"

#include <fmt/format.h>
#include <hwloc.h>

#include <algorithm>
#include <memory>
#include <type_traits>

namespace vballoon::lcore {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const noexcept { hwloc_topology_destroy(topology); }
};
using Handle = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

Handle make_handle() {
  hwloc_topology_t raw = nullptr;
  return Handle(hwloc_topology_init(&raw) == 0 ? raw : nullptr);
}

/// Isolated cpus, and cpus outside this process's cpuset, belong to the machine as well.
bool load(const Handle& topology) {
  hwloc_topology_set_flags(topology.get(), HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  return hwloc_topology_load(topology.get()) == 0;
}

CpuPlace place_of(hwloc_topology_t topology, hwloc_obj_t unit) {
  CpuPlace place{unit->os_index, unit->logical_index, 0};
  if (const auto core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, unit)) {
    place.core = core->logical_index;
  }
  if (const int node = hwloc_bitmap_first(unit->nodeset); node >= 0) {
    place.node = static_cast<unsigned>(node);
  }
  return place;
}

Topology read(hwloc_topology_t topology) {
  std::vector<CpuPlace> cpus;
  for (hwloc_obj_t unit = nullptr;
       (unit = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, unit)) != nullptr;) {
    cpus.push_back(place_of(topology, unit));
  }
  std::sort(cpus.begin(), cpus.end(), [](auto a, auto b) { return a.cpu < b.cpu; });
  return Topology(std::move(cpus));
}

}  // namespace

Result<Topology> Topology::of_this_host() {
  const Handle topology = make_handle();
  if (!topology || !load(topology)) {
    return fail(Code::kHost, "hwloc cannot read the cpus of this machine; is /sys mounted?");
  }
  return read(topology.get());
}

Result<Topology> Topology::synthetic(const std::string& description) {
  const Handle topology = make_handle();
  if (!topology || hwloc_topology_set_synthetic(topology.get(), description.c_str()) != 0 ||
      !load(topology)) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' describes no machine; write it as in \"node:2 core:4 pu:2\"",
                            description));
  }
  return read(topology.get());
}

CpuPlace Topology::where(unsigned cpu) const noexcept {
  for (const CpuPlace& place : cpus_) {
    if (place.cpu == cpu) return place;
  }
  return CpuPlace{cpu, UINT32_MAX, 0};
}

bool Topology::shares_core(unsigned cpu, const CpuList& with) const noexcept {
  const unsigned core = where(cpu).core;
  return core != UINT32_MAX && std::any_of(with.begin(), with.end(), [&](unsigned other) {
           return other != cpu && where(other).core == core;
         });
}

}  // namespace vballoon::lcore
