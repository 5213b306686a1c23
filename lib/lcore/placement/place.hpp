// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/placement/place.hpp - which cpus poll, which cpus discard, and why these.
// Pure: the same machine and wishes give the same answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "lcore/placement/cpus.hpp"
#include "lcore/placement/topology.hpp"

namespace vballoon::lcore {

/// What the operator asked for. A cpu that the operator names is used or refused, never replaced.
struct Wishes {
  CpuList poll;                     ///< empty: place() chooses
  std::optional<CpuList> reclaim;   ///< nothing: place() chooses; an empty list: none
  CpuList neighbours;               ///< cpus of OVS-DPDK and the like; the daemon never uses them
  std::optional<unsigned> control;  ///< cpu of the control thread
  bool may_float = false;           ///< development: place() chooses no cpus
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

/// Poll lcores get the first isolated cpu of each node; where none is isolated, one gets the last
/// cpu that is left. Reclaim lcores get an isolated cpu per poll lcore, on the poll lcore's node,
/// and on another core if there is one; where none is isolated, one gets a cpu if at least two more
/// are left.
/// @errors kInvalidArgument for a cpu that this process may not use, that two keys name, or that is
///         a neighbour's; the message names the key of the configuration.
[[nodiscard]] Result<Placement> place(const Topology& topology, const Cpus& cpus,
                                      const Wishes& wishes);

/// Reads cpus in OVS's pmd-cpu-mask syntax, a hexadecimal mask ("0x3c"), or as a list ("2-5,8").
/// @errors kInvalidArgument.
/// @source ovs-vswitchd.conf.db(5), other_config:pmd-cpu-mask
[[nodiscard]] Result<CpuList> parse_neighbours(std::string_view text);

}  // namespace vballoon::lcore
