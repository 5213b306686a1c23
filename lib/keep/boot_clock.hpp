// SPDX-License-Identifier: BSD-3-Clause
//
// keep/boot_clock.hpp - the time that processes tell each other.
// Thread: any, and any signal handler.
// Source: clock_gettime(2), CLOCK_BOOTTIME: the same for all processes, also while the host sleeps.
#pragma once

#include <cstdint>

namespace vballoon::keep {

/// Milliseconds since the host booted; never 0. Safe in a signal handler.
[[nodiscard]] std::uint64_t boot_ms() noexcept;

}  // namespace vballoon::keep
