// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/plan.hpp - which lcore runs on which cpus, and the EAL arguments that say so.
// Pure: uses no EAL, so that tests need none.
// Source: DPDK 22.11, Linux EAL parameters: --lcores 'id@(cpus)'.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "lcore/placement/place.hpp"
#include "lcore/settings.hpp"

namespace vballoon::lcore {

/// The ids of lcores are below this number, RTE_MAX_LCORE of the usual builds. Cpu numbers have no
/// such bound.
inline constexpr unsigned kMaxLcores = 128;

struct Lcore {
  unsigned id = 0;      ///< the number of its first cpu if that is below kMaxLcores and not in use
  lcore::CpuList cpus;  ///< the lcore floats over these
  unsigned node = 0;    ///< NUMA node of the first cpu
  std::string why;      ///< why these cpus, for people
};

/// The main lcore is the control thread. All threads that are no lcore run on the main lcore's cpus
/// (eal.cpp): EAL's own threads, and with them the vhost event thread. So these threads keep away
/// from the pinned poll lcores, which would starve them, and from the neighbours' cpus.
struct LcorePlan {
  Lcore main;
  std::vector<Lcore> poll;     ///< at least one
  std::vector<Lcore> reclaim;  ///< empty: poll lcores discard themselves
  bool pinned = true;          ///< each poll lcore has its cpu to itself
  std::string note;            ///< what the operator should know about the choice, or empty
};

/// Chooses cpus by lcore::place(). The poll lcore floats in the development profile, and in a
/// process that has one cpu only. Everything else floats over the cpus that are left. Nothing runs
/// on the neighbours' cpus.
/// @errors those of lcore::place(); kInvalidArgument when the neighbours have every cpu.
[[nodiscard]] Result<LcorePlan> plan_lcores(const LcoreSettings& settings, const lcore::Cpus& cpus,
                                            const lcore::Topology& topology);

/// A log level for DPDK's components. When several patterns match a component, the last pattern
/// counts if the component is registered by then, and the first one if it is registered later, as
/// telemetry is.
struct EalLogLevel {
  const char* pattern;
  const char* level;  ///< "error", "warning" or "info"
};
/// @param level  the level of the daemon's own log.
[[nodiscard]] std::vector<EalLogLevel> eal_log_levels(std::string_view level);

/// @return the command line for EAL; the program's name is first.
[[nodiscard]] std::vector<std::string> eal_arguments(const LcoreSettings& settings,
                                                     const LcorePlan& plan);

}  // namespace vballoon::lcore
