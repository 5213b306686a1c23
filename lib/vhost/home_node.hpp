// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/home_node.hpp - on which NUMA node a guest's memory is.
// Thread: any.
#pragma once

#include <optional>

#include "gmem/guest_memory.hpp"

namespace vballoon::vhost {

/// The node that the VMM bound the guest's memory to; nothing where it bound it to none, or to
/// several. Asks for the file's policy, so no page of the guest is touched.
[[nodiscard]] std::optional<unsigned> home_node(const gmem::GuestMemory& memory) noexcept;

}  // namespace vballoon::vhost
