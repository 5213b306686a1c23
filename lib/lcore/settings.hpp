// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/settings.hpp - what the operator can set of the threads and of DPDK.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lcore/idle.hpp"

namespace vballoon::lcore {

/// Where the defaults come from; whatever the file says is stronger than either.
enum class Profile {
  kProduction,   ///< huge pages, a poll lcore pinned to a cpu of its own, spinning
  kDevelopment,  ///< no huge pages, no cpu of its own, no root; sleeps while idle
};

/// Cpus are numbers of the kernel's.
struct LcoreSettings {
  Profile profile = Profile::kProduction;
  std::string log_level = "info";  ///< trace, debug, info, warning, error

  bool no_huge = false;  ///< [eal]
  std::uint64_t memory_mib = 64;
  std::optional<unsigned> main_lcore;  ///< cpu of the control thread; none: all but the poll cpus
  std::vector<std::string> eal_args;

  std::vector<unsigned> poll_lcores;        ///< [poll]; cpu numbers; empty: chosen
  IdleStrategy idle = IdleStrategy::kSpin;  ///< of reclaim lcores too

  /// [reclaim]; cpu numbers; nothing: chosen; empty: poll lcores discard themselves
  std::optional<std::vector<unsigned>> reclaim_lcores;

  std::vector<unsigned> neighbours;  ///< [placement]; cpu numbers that are never ours
};

/// What a profile has where the file says nothing.
[[nodiscard]] LcoreSettings default_settings(Profile profile);

}  // namespace vballoon::lcore
