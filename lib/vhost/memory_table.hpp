// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/memory_table.hpp - makes gmem::GuestMemory of librte_vhost's memory table.
// Thread: the vhost event thread.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "gmem/guest_memory.hpp"

namespace vballoon::vhost {

/// @pre  the device has a memory table: librte_vhost dereferences null where it has none.
[[nodiscard]] Result<std::shared_ptr<const gmem::GuestMemory>> load_memory_table(int vid);

}  // namespace vballoon::vhost
