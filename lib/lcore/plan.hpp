// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/plan.hpp - which lcore runs on which cpus, and the EAL arguments that say so.
// Pure: no EAL in here, so that it is tested without one.
// Source: DPDK 22.11, Linux EAL parameters: --lcores 'id@(cpus)'.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "lcore/placement/place.hpp"
#include "lcore/settings.hpp"

namespace vballoon::lcore {

/// Ids of lcores are below this, RTE_MAX_LCORE of the usual builds; cpus have no such bound.
inline constexpr unsigned kMaxLcores = 128;

struct Lcore {
  unsigned id = 0;  ///< the number of its cpu where it has one of its own and EAL can count so far
  lcore::CpuList cpus;  ///< it floats over these
  unsigned node = 0;    ///< NUMA node of the first
  std::string why;      ///< why these, for people
};

/// The main lcore is the control thread. All threads that are no lcore, among them EAL's own with
/// the one that serves every vhost socket, run where the main lcore may (eal.cpp): away from the
/// pinned poll lcores, which would starve them, and from the neighbours' cpus.
struct LcorePlan {
  Lcore main;
  std::vector<Lcore> poll;     ///< at least one
  std::vector<Lcore> reclaim;  ///< none: poll lcores discard themselves
  bool pinned = true;          ///< each poll lcore has its cpu to itself
  std::string note;            ///< what the operator should know about the choice, or empty
};

/// Places them as lcore/placement/place.hpp says. The poll lcore of development, and of a process
/// that has one cpu only, floats; so does everything else that is left, off the neighbours' cpus.
/// @errors those of lcore::place(); kInvalidArgument when the neighbours have every cpu.
[[nodiscard]] Result<LcorePlan> plan_lcores(const LcoreSettings& settings, const lcore::Cpus& cpus,
                                            const lcore::Topology& topology);

/// How much DPDK says where the daemon logs at this level. Of several patterns the last one counts
/// for what is registered by then, the first one for what is registered later; telemetry is.
struct EalLogLevel {
  const char* pattern;
  const char* level;  ///< "error", "warning" or "info"
};
[[nodiscard]] std::vector<EalLogLevel> eal_log_levels(std::string_view level);

/// @return the command line for EAL, its own name first.
[[nodiscard]] std::vector<std::string> eal_arguments(const LcoreSettings& settings,
                                                     const LcorePlan& plan);

}  // namespace vballoon::lcore
