// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/settings.hpp - the operator's settings of the threads and of DPDK.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lcore/idle.hpp"

namespace vballoon::lcore {

/// Which defaults apply. A value in the configuration file overrides the profile's default.
enum class Profile {
  kProduction,   ///< huge pages, a poll lcore pinned to a cpu of its own, spinning
  kDevelopment,  ///< no huge pages, no cpu of its own, no root; sleeps while idle
};

/// Cpus are numbered as the kernel numbers them.
struct LcoreSettings {
  Profile profile = Profile::kProduction;
  std::string log_level = "info";  ///< trace, debug, info, warning, error

  bool no_huge = false;  ///< [eal]
  std::uint64_t memory_mib = 64;
  std::optional<unsigned> main_lcore;  ///< cpu of the control thread; nothing: all that are left
  std::vector<std::string> eal_args;

  std::vector<unsigned> poll_lcores;        ///< [poll]; cpus; empty: the daemon chooses
  IdleStrategy idle = IdleStrategy::kSpin;  ///< for reclaim lcores too

  /// [reclaim]; cpus. Nothing: the daemon chooses. An empty list: poll lcores discard themselves.
  std::optional<std::vector<unsigned>> reclaim_lcores;

  std::vector<unsigned> neighbours;  ///< [placement]; cpus that the daemon never uses
};

/// The defaults of a profile.
[[nodiscard]] LcoreSettings default_settings(Profile profile);

}  // namespace vballoon::lcore
