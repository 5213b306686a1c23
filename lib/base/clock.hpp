// SPDX-License-Identifier: BSD-3-Clause
//
// base/clock.hpp - the time that pages wait by, and that people read.
#pragma once

#include <chrono>
#include <cstdint>

namespace vballoon {

/// Microseconds since some time in the past; never goes back. No system call on hosts whose clock
/// is the processor's.
[[nodiscard]] inline std::uint64_t now_us() noexcept {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

[[nodiscard]] inline std::uint64_t now_ms() noexcept {
  return now_us() / 1000;
}

/// Milliseconds since 1970. It follows the host's clock, forwards and back.
[[nodiscard]] inline std::uint64_t calendar_ms() noexcept {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

}  // namespace vballoon
