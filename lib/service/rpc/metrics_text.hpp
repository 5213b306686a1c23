// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/metrics_text.hpp - the daemon's figures as Prometheus reads them.
// Pure.
// Source: the text-based exposition format of Prometheus, version 0.0.4; its naming rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lcore/report.hpp"
#include "policy/report.hpp"
#include "service/rpc/daemon_counters.hpp"
#include "vm/report.hpp"

namespace vballoon::service {

/// One VM's figures.
struct VmRow {
  std::string name;
  std::string kind;  ///< of its balloon: "stock" or "large"
  bool automatic = false;
  vm::DeviceReport report;
};

struct DaemonFigures {
  std::string version;
  std::uint64_t started_s = 0;  ///< since 1970
  DaemonCounters counters;
};

/// All that is told, of one moment.
struct Figures {
  DaemonFigures daemon;
  policy::Report policy;
  std::vector<VmRow> vms;
  std::vector<lcore::LcoreReport> lcores;
};

/// @return one sample a line, the samples of a family together. A family without a sample is left
///         out. Amounts of memory are in bytes, times in seconds. All labels have values that the
///         daemon and its operator chose: a guest or a VMM adds none.
[[nodiscard]] std::string metrics_text(const Figures& figures);

}  // namespace vballoon::service
