// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/driver.hpp - a socket of librte_vhost's; librte_vhost calls it a driver.
// Thread: any but the vhost event thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "wire/features.hpp"

namespace vballoon::vhost {

/// Registers a socket with the features and callbacks of its connections. The caller then calls
/// rte_vhost_driver_start().
/// @param flags  the flags of rte_vhost_driver_register().
/// @errors kHost; nothing is registered then.
[[nodiscard]] Result<void> register_driver(const std::string& name, std::uint64_t flags,
                                           wire::Features offered);

}  // namespace vballoon::vhost
