// SPDX-License-Identifier: BSD-3-Clause
//
// support/cpu.hpp - the two cores of a measurement, and the interrupts that one of them took.
#pragma once

#include <cstdint>

namespace vballoon::perf {

inline constexpr unsigned kOurCpu = 0;    ///< runs what is measured
inline constexpr unsigned kOtherCpu = 1;  ///< the neighbour, the driver, or a second lcore

/// Binds the calling thread; gives up where there is no such cpu.
void pin(unsigned cpu);

/// TLB shootdowns that a cpu has received since the machine was started.
[[nodiscard]] std::uint64_t tlb_interrupts(unsigned cpu);

/// DPDK, as rings and pools need it: no huge pages, no devices, no lcore of its own but this one.
void start_eal();

}  // namespace vballoon::perf
