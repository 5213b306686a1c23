// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/home_node.hpp - the NUMA node that a guest's memory is bound to.
// Thread: any.
#pragma once

#include <optional>

#include "gmem/guest_memory.hpp"

namespace vballoon::vhost {

/// @return the node to which the VMM bound the guest's memory; nothing where it bound the memory to
///         no node, or to several. Asks for the file's policy, so touches no page of the guest.
[[nodiscard]] std::optional<unsigned> home_node(const gmem::GuestMemory& memory) noexcept;

}  // namespace vballoon::vhost
