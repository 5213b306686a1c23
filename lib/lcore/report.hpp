// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/report.hpp - what a person is told of one lcore.
// Plain values, gathered at one moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lcore/plan.hpp"

namespace vballoon::lcore {

struct LcoreReport {
  unsigned lcore = 0;
  std::string cpus;               ///< "3", or "0-2" where it floats
  unsigned node = 0;              ///< NUMA node of the first cpu
  std::string_view role;          ///< "control", "poll" or "reclaim"
  std::string why;                ///< why on these cpus; empty for the control thread
  std::uint64_t devices = 0;      ///< poll: those it serves
  std::uint64_t passes = 0;       ///< poll: over its rings; reclaim: looks for a batch
  std::uint64_t busy_passes = 0;  ///< of these, with something to do
  std::uint64_t sleeps = 0;
};

[[nodiscard]] inline LcoreReport report_lcore(const Lcore& lcore, std::string_view role) {
  return {.lcore = lcore.id,
          .cpus = lcore::format_cpu_list(lcore.cpus),
          .node = lcore.node,
          .role = role,
          .why = lcore.why};
}

/// @param posts  the work of these lcores, in their order: poll lcores or reclaim lcores.
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
