// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/device_json.hpp - a VM's figures in JSON.
// Pure. docs/rpc.md documents every field.
#pragma once

#include <optional>

#include <string>
#include <vector>
#include "base/size_text.hpp"
#include "lcore/report.hpp"

#include "rpc/json_writer.hpp"
#include "vm/report.hpp"
#include "vm/settings.hpp"

namespace vballoon::service {

/// Writes one row of device.list: name, socket, mode, state, sizes and the last statistics.
/// @param automatic  whether the policy moves the VM's target.
void write_summary(const vm::Settings& settings, const vm::VmFigures& figures, bool automatic,
                   rpc::JsonWriter* out);

/// Writes the result of device.show.
/// @param settings  the VM's present settings.
void write_device(const vm::Settings& settings, const vm::DeviceReport& report,
                  rpc::JsonWriter* out);

/// Writes `restarts`, `outlives` and `why_not_outlives` into the object that is open.
void write_restarts(const vm::DeviceReport& report, rpc::JsonWriter* out);

/// Writes `warnings`, sentences for a person, into the object that is open.
void write_warnings(const std::vector<std::string>& warnings, rpc::JsonWriter* out);

/// Writes the last sample with its age, or null. Figures that the guest did not send are absent.
void write_stats(const vm::VmFigures& figures, rpc::JsonWriter* out);
/// The same, and what the driver of large pages adds: the guest's NUMA nodes.
void write_stats(const vm::DeviceReport& report, rpc::JsonWriter* out);

/// @return a number from 0 to 1, or null.
[[nodiscard]] rpc::Json share_json(const std::optional<Share>& share);

[[nodiscard]] rpc::Json lcore_json(const lcore::LcoreReport& report);

}  // namespace vballoon::service
