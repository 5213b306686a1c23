// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/driver.hpp - a socket of librte_vhost's, which that calls a driver.
// Thread: any but the vhost event thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "wire/features.hpp"

namespace vballoon::vhost {

/// Registers it with all that its connections are to have; rte_vhost_driver_start() is what
/// remains.
/// @param flags  of rte_vhost_driver_register().
/// @errors kHost; then nothing is registered.
[[nodiscard]] Result<void> register_driver(const std::string& name, std::uint64_t flags,
                                           wire::Features offered);

}  // namespace vballoon::vhost
