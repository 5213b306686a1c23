// SPDX-License-Identifier: BSD-3-Clause
//
// base/copy_once.hpp - read memory that a hostile writer may change at any time.
// What is checked afterwards must be the private copy, so the source is read once.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace vballoon {

/// Copies n bytes; the compiler may not read the source again for a later use of the copy.
inline void copy_once(void* destination, const void* source, std::size_t n) noexcept {
  std::memcpy(destination, source, n);
  // Memory may have changed behind this point, so a second read could not stand for the first.
  asm volatile("" ::: "memory");
}

template <typename T>
[[nodiscard]] T load_once(const void* source) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  copy_once(&value, source, sizeof(T));
  return value;
}

}  // namespace vballoon
