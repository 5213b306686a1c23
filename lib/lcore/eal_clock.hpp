// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/eal_clock.hpp - the sleep by which EAL measures the processor's clock, made short.
#pragma once

namespace vballoon::lcore {

/// While an object of this class lives, nanosleep() of its thread takes kLongestMs at most.
///
/// Where CPUID does not tell the frequency of the TSC, as in most VMs and on AMD, rte_eal_init()
/// sleeps for 100 ms between two looks at it. That is a third of what a guest waits for while the
/// daemon is restarted. EAL rounds the result to 10 MHz; the daemon never asks for it.
/// Source: DPDK lib/eal/linux/eal_timer.c, get_tsc_freq() (22.11 to 25.11).
class ShortClockSleep {
 public:
  static constexpr long kLongestMs = 10;

  /// @param wanted  false: sleeps are as long as they are.
  explicit ShortClockSleep(bool wanted = true) noexcept;
  ~ShortClockSleep();
  ShortClockSleep(const ShortClockSleep&) = delete;
  ShortClockSleep& operator=(const ShortClockSleep&) = delete;
};

}  // namespace vballoon::lcore
