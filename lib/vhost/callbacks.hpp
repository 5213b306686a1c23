// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/callbacks.hpp - forwards librte_vhost's C callbacks to the device that they are about.
// Thread: librte_vhost calls back on the vhost event thread; any thread registers.
#pragma once

#include <memory>
#include <string>

#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {

/// From now on, connections that librte_vhost makes to this path belong to the device.
void bind_path(const std::string& path, std::shared_ptr<BalloonDevice> device);

/// From now on no callback reaches the device, except one that is under way, which keeps the device
/// alive.
/// @pre  the device is closed, and no VMM can connect to it any more.
void unbind(const BalloonDevice& device);

[[nodiscard]] const rte_vhost_device_ops& device_ops() noexcept;

}  // namespace vballoon::vhost
