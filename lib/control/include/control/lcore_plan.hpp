// SPDX-License-Identifier: BSD-3-Clause
//
// control/lcore_plan.hpp - which lcore runs on which cpus, and the EAL arguments that say so.
// Layer:  control; may include base/. Pure: no EAL in here, so that it is tested without one.
// Source: DPDK 22.11, Linux EAL parameters: --lcores 'id@(cpus)'.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/config.hpp"
#include "control/cpus.hpp"

namespace vballoon::control {

/// Ids of lcores are below this, RTE_MAX_LCORE of the usual builds; cpus have no such bound.
inline constexpr unsigned kMaxLcores = 128;

struct Lcore {
  unsigned id = 0;  ///< the number of its cpu where it has one of its own and EAL can count so far
  CpuList cpus;     ///< it floats over these
};

/// The main lcore is the control thread. EAL lets its own threads, among them the one that serves
/// every vhost socket, run where the main lcore may: away from the pinned poll lcores, which would
/// starve them.
struct LcorePlan {
  Lcore main;
  std::vector<Lcore> poll;  ///< at least one
  bool pinned = true;       ///< each poll lcore has its cpu to itself
  std::string note;         ///< what the operator should know about the choice, or empty
};

/// Production without a list takes the first isolated cpu, else the highest allowed one.
/// Development, and a process that has one cpu only, floats.
/// @errors kInvalidArgument for a cpu that this process may not use, or that is main and poll
///         lcore at once; it names the key and the usable cpus.
[[nodiscard]] Result<LcorePlan> plan_lcores(const Config& config, const Cpus& cpus);

/// @return the command line for EAL, its own name first.
[[nodiscard]] std::vector<std::string> eal_arguments(const Config& config, const LcorePlan& plan);

}  // namespace vballoon::control
