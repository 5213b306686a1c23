// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/device_json.hpp - a VM's figures and its report as programs read them.
// Pure. docs/rpc.md documents every field.
#pragma once

#include <optional>

#include "base/size_text.hpp"
#include "lcore/report.hpp"
#include "rpc/error.hpp"
#include "vm/report.hpp"
#include "vm/settings.hpp"

namespace vballoon::service {

/// One row of device.list: name, socket, mode, state, sizes and the last statistics.
/// @param automatic  whether the policy moves its target.
[[nodiscard]] rpc::Json summary_json(const vm::Settings& settings, const vm::VmFigures& figures,
                                     bool automatic);

/// All of device.show.
[[nodiscard]] rpc::Json device_json(const vm::Settings& settings, const vm::DeviceReport& report,
                                    bool automatic);

/// The last sample with its age, or null. A figure that the guest did not send is absent.
[[nodiscard]] rpc::Json stats_json(const std::optional<vm::StatsReport>& stats);

/// From 0 to 1, or null.
[[nodiscard]] rpc::Json share_json(const std::optional<Share>& share);

[[nodiscard]] rpc::Json lcore_json(const lcore::LcoreReport& report);

}  // namespace vballoon::service
