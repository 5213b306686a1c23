// SPDX-License-Identifier: BSD-3-Clause
//
// keep/sealed_memory.hpp - memory that outlives the process. It keeps its length for good: whoever
//                          else holds it cannot make a load or a store fail.
// Thread: any.
// Source: memfd_create(2), fcntl(2): F_ADD_SEALS.
#pragma once

#include <cstddef>

#include "base/unique_fd.hpp"

namespace vballoon::keep {

/// @return no descriptor where the host has none left; errno says why.
[[nodiscard]] UniqueFd make_sealed(const char* name, std::size_t bytes) noexcept;
/// Whether a descriptor that somebody kept is such memory, and of this length.
[[nodiscard]] bool is_sealed(int fd, std::size_t bytes) noexcept;
/// @return nullptr where it cannot be mapped; errno says why.
[[nodiscard]] std::byte* map_sealed(int fd, std::size_t bytes) noexcept;

}  // namespace vballoon::keep
