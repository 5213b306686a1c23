// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/callbacks.hpp - from librte_vhost's C callbacks to the device they are about.
// Thread: the vhost event thread calls back; any thread registers.
#pragma once

#include <memory>
#include <string>

#include "vhost/balloon_device.hpp"

namespace vballoon::vhost {

/// Connections that librte_vhost makes to this path belong to the device from here on.
void bind_path(const std::string& path, std::shared_ptr<BalloonDevice> device);

/// After this no callback reaches it but one that is under way, which keeps it as long.
/// @pre  The device is closed, and nobody can connect to it any more.
void unbind(const BalloonDevice& device);

[[nodiscard]] const rte_vhost_device_ops& device_ops() noexcept;

}  // namespace vballoon::vhost
