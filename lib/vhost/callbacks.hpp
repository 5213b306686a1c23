// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/callbacks.hpp - from librte_vhost's C callbacks to the device they are about.
// Layer:  vhost, its sources only. Thread: the vhost event thread calls back; any thread registers.
#pragma once

#include <string>

#include "balloon_device.hpp"

namespace vballoon::vhost {

/// Connections on this socket path belong to the device from here on.
void bind_path(const std::string& path, BalloonDevice& device);

/// @pre  The device is closed. After this and rte_vhost_driver_unregister() no callback reaches it.
void unbind_path(const std::string& path, BalloonDevice& device);

[[nodiscard]] const rte_vhost_device_ops& device_ops() noexcept;

}  // namespace vballoon::vhost
