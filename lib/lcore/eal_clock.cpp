// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/eal_clock.cpp - nanosleep(2) in place of the C library's: the program's symbols come first.
#include "lcore/eal_clock.hpp"

#include <time.h>

#include <cerrno>

namespace vballoon::lcore {
namespace {

thread_local bool made_short = false;

constexpr long kNsPerMs = 1'000'000;

bool is_long(const timespec& duration) noexcept {
  return duration.tv_sec > 0 || duration.tv_nsec > ShortClockSleep::kLongestMs * kNsPerMs;
}

}  // namespace

ShortClockSleep::ShortClockSleep(bool wanted) noexcept {
  made_short = wanted;
}

ShortClockSleep::~ShortClockSleep() {
  made_short = false;
}

}  // namespace vballoon::lcore

extern "C" int nanosleep(const timespec* duration, timespec* left) {
  using vballoon::lcore::ShortClockSleep;
  static constexpr timespec kLongest{
      .tv_sec = 0, .tv_nsec = ShortClockSleep::kLongestMs * vballoon::lcore::kNsPerMs};
  const bool cut = vballoon::lcore::made_short && vballoon::lcore::is_long(*duration);
  // CLOCK_MONOTONIC: what nanosleep(2) of Linux measures by, whatever POSIX says.
  const int error = ::clock_nanosleep(CLOCK_MONOTONIC, 0, cut ? &kLongest : duration, left);
  if (error == 0) return 0;
  errno = error;
  return -1;
}
