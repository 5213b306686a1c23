// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/shared_memory.hpp - fields that both sides of a ring see.
// Single-copy atomic accesses, ordered as the caller says.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vballoon::virtq {

inline bool aligned(const std::byte* area, std::size_t alignment) noexcept {
  return reinterpret_cast<std::uintptr_t>(area) % alignment == 0;
}

inline std::uint16_t load16(const std::byte* at, int order) noexcept {
  return __atomic_load_n(reinterpret_cast<const std::uint16_t*>(at), order);
}
inline void store16(std::byte* at, std::uint16_t value, int order) noexcept {
  __atomic_store_n(reinterpret_cast<std::uint16_t*>(at), value, order);
}

}  // namespace vballoon::virtq
