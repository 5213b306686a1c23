// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/report.hpp - the figures of one lcore, for `vballoonctl lcores`.
// Plain values of one moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lcore/plan.hpp"

namespace vballoon::lcore {

struct LcoreReport {
  unsigned lcore = 0;
  std::string cpus;               ///< "3", or "0-2" where the lcore floats
  unsigned node = 0;              ///< NUMA node of the first cpu
  std::string_view role;          ///< "control", "poll" or "reclaim"
  std::string why;                ///< why these cpus; empty for the control thread
  std::uint64_t devices = 0;      ///< poll: the devices that it polls
  std::uint64_t passes = 0;       ///< poll: passes over its rings; reclaim: looks for a batch
  std::uint64_t busy_passes = 0;  ///< the passes that had work
  std::uint64_t sleeps = 0;
};

[[nodiscard]] inline LcoreReport report_lcore(const Lcore& lcore, std::string_view role) {
  return {.lcore = lcore.id,
          .cpus = lcore::format_cpu_list(lcore.cpus),
          .node = lcore.node,
          .role = role,
          .why = lcore.why};
}

/// @param posts  the posts of these lcores, in the same order: all Poller, or all ReclaimLcore.
template <typename Posts>
void report_lcores(std::string_view role, const std::vector<Lcore>& lcores, const Posts& posts,
                   std::vector<LcoreReport>* reports) {
  for (std::size_t i = 0; i < posts.size(); ++i) {
    const auto& counters = posts[i]->counters();
    LcoreReport& report = reports->emplace_back(report_lcore(lcores[i], role));
    report.passes = counters.passes.get();
    report.busy_passes = counters.busy_passes.get();
    report.sleeps = counters.sleeps.get();
  }
}

}  // namespace vballoon::lcore
