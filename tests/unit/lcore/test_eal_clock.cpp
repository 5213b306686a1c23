// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_eal_clock.cpp - the sleep by which EAL measures the processor's clock.
#include <gtest/gtest.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <thread>

#include "lcore/eal_clock.hpp"

namespace vballoon::lcore {
namespace {

constexpr timespec kHour{.tv_sec = 3600, .tv_nsec = 0};
constexpr timespec kMillisecond{.tv_sec = 0, .tv_nsec = 1'000'000};

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t slept_ns(const timespec& duration) {
  const std::uint64_t begin = monotonic_ns();
  EXPECT_EQ(::nanosleep(&duration, nullptr), 0);
  return monotonic_ns() - begin;
}

// An hour would end the test by its time limit.
TEST(EalClock, ALongSleepEndsSoonWhileEalStarts) {
  const ShortClockSleep during_start;
  EXPECT_EQ(::nanosleep(&kHour, nullptr), 0);
}

TEST(EalClock, AShortSleepIsAsLongAsItSays) {
  const ShortClockSleep during_start;
  EXPECT_GE(slept_ns(kMillisecond), 1'000'000U);
}

TEST(EalClock, SleepsOfOtherThreadsAreAsLongAsTheySay) {
  constexpr timespec kLonger{.tv_sec = 0, .tv_nsec = 2 * ShortClockSleep::kLongestMs * 1'000'000};
  const ShortClockSleep during_start;
  std::uint64_t slept = 0;
  std::thread([&] { slept = slept_ns(kLonger); }).join();
  EXPECT_GE(slept, static_cast<std::uint64_t>(kLonger.tv_nsec));
}

TEST(EalClock, SleepsAreWholeAgainAfterwards) {
  constexpr timespec kLonger{.tv_sec = 0, .tv_nsec = 2 * ShortClockSleep::kLongestMs * 1'000'000};
  { const ShortClockSleep during_start; }
  EXPECT_GE(slept_ns(kLonger), static_cast<std::uint64_t>(kLonger.tv_nsec));
  const ShortClockSleep unwanted(false);
  EXPECT_GE(slept_ns(kLonger), static_cast<std::uint64_t>(kLonger.tv_nsec));
}

TEST(EalClock, RefusesWhatTheSystemCallRefuses) {
  const timespec wrong{.tv_sec = 0, .tv_nsec = -1};
  errno = 0;
  EXPECT_EQ(::nanosleep(&wrong, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace vballoon::lcore
