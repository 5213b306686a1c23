// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/metrics_text.hpp - the daemon's figures as Prometheus reads them.
// Pure.
// Source: the text-based exposition format of Prometheus, version 0.0.4; its naming rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lcore/report.hpp"
#include "vm/report.hpp"

namespace vballoon::service {

/// One VM's figures.
struct VmRow {
  std::string name;
  std::string kind;  ///< of its balloon: "stock" or "large"
  bool automatic = false;
  vm::DeviceReport report;
};

/// @return one sample a line, the samples of a family together. A family without a sample is left
///         out. Amounts of memory are in bytes, times in seconds. All labels have values that the
///         daemon and its operator chose: a guest or a VMM adds none.
[[nodiscard]] std::string metrics_text(std::string_view version, const std::vector<VmRow>& vms,
                                       const std::vector<lcore::LcoreReport>& lcores);

}  // namespace vballoon::service
