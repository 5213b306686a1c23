// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/placement/place.hpp - which cpus poll, which discard, and why these.
// Pure: the same machine and wishes give the same answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "lcore/placement/cpus.hpp"
#include "lcore/placement/topology.hpp"

namespace vballoon::lcore {

/// What the operator asked for. Cpus that he named are obeyed or refused, never exchanged.
struct Wishes {
  CpuList poll;                     ///< empty: chosen here
  std::optional<CpuList> reclaim;   ///< nothing: chosen here; an empty list: none
  CpuList neighbours;               ///< cpus of OVS-DPDK and the like: never ours
  std::optional<unsigned> control;  ///< cpu of the control thread
  bool may_float = false;           ///< development: no cpu is taken that was not asked for
};

/// A cpu for one lcore, and a reason for people.
struct Seat {
  unsigned cpu = 0;
  unsigned node = 0;
  std::string why;
};

struct Placement {
  std::vector<Seat> poll;     ///< empty: the poll lcore has no cpu of its own
  std::vector<Seat> reclaim;  ///< empty: poll lcores discard themselves
};

/// Chosen poll lcores: the first isolated cpu of each node; where none is isolated, the last cpu
/// that is left. Chosen reclaim lcores: an isolated cpu per poll lcore on the poll lcore's node,
/// off its core if there is another; where none is isolated, one cpu if at least two more are left.
/// @errors kInvalidArgument: a cpu that this process may not use, that has two works, or is a
///         neighbour's; the message names the key of the configuration.
[[nodiscard]] Result<Placement> place(const Topology& topology, const Cpus& cpus,
                                      const Wishes& wishes);

/// Cpus in OVS's pmd-cpu-mask syntax, a hexadecimal mask ("0x3c"), or as a list ("2-5,8").
/// @errors kInvalidArgument.
/// @source ovs-vswitchd.conf.db(5), other_config:pmd-cpu-mask
[[nodiscard]] Result<CpuList> parse_neighbours(std::string_view text);

}  // namespace vballoon::lcore
