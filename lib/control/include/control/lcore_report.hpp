// SPDX-License-Identifier: BSD-3-Clause
//
// control/lcore_report.hpp - what a person is told of one lcore.
// Layer:  control; may include rpc/. Plain values, gathered at one moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "rpc/error.hpp"

namespace vballoon::control {

struct LcoreReport {
  unsigned lcore = 0;
  std::string cpus;       ///< "3", or "0-2" where it floats
  unsigned node = 0;      ///< NUMA node of the first cpu
  std::string_view role;  ///< "control", "poll" or "reclaim"
  std::string why;        ///< why on these cpus; empty for the control thread
  std::uint64_t devices = 0;      ///< poll: those it serves
  std::uint64_t passes = 0;       ///< poll: over its rings; reclaim: looks for a batch
  std::uint64_t busy_passes = 0;  ///< of these, with something to do
  std::uint64_t sleeps = 0;
};

[[nodiscard]] inline rpc::Json lcore_json(const LcoreReport& report) {
  return {{"lcore", report.lcore},   {"cpus", report.cpus},
          {"node", report.node},     {"role", std::string(report.role)},
          {"why", report.why},       {"devices", report.devices},
          {"passes", report.passes}, {"busy_passes", report.busy_passes},
          {"sleeps", report.sleeps}};
}

}  // namespace vballoon::control
