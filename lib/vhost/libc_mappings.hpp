// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_mappings.hpp - how librte_vhost's mappings of guest memory are made.
// Thread: any.
#pragma once

#include <cstdint>

namespace vballoon::vhost {

/// Whether the vhost event thread could map so much of this file now. Asked before librte_vhost
/// tries, because it loses the descriptor where its own attempt fails.
[[nodiscard]] bool can_be_mapped(int fd, std::uint64_t bytes) noexcept;

}  // namespace vballoon::vhost
