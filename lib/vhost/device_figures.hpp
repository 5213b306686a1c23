// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/device_figures.hpp - finds the state and the figures of a device.
// Thread: the control thread, under the device's lock.
#pragma once

#include "vhost/device_parts.hpp"
#include "vm/figures.hpp"
#include "vm/report.hpp"

namespace vballoon::vhost {

/// Shown in the log, and as the reason in the device's figures.
inline constexpr const char* kSlow =
    "whoever touches its memory has to wait: its VMM works on the file behind it; it has a thread "
    "of its own until that is over, and the others do not wait";

[[nodiscard]] vm::State state_of(const DeviceParts& device) noexcept;
[[nodiscard]] vm::VmFigures figures_of(const DeviceParts& device);
[[nodiscard]] vm::DeviceReport report_of(const DeviceParts& device);

}  // namespace vballoon::vhost
