// SPDX-License-Identifier: BSD-3-Clause
//
// base/log.hpp - what the daemon tells its operator. Never called on the polled path.
// Thread: any but the poll and reclaim lcores.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <mutex>

namespace vballoon {

/// Lets an event of a VMM or a guest be logged, but never more than a few times an interval:
/// a flood becomes one line with a count. While it goes on the interval doubles, up to 64 times.
class LogGate {
 public:
  explicit LogGate(unsigned per_interval = 5,
                   std::chrono::milliseconds interval = std::chrono::seconds(10)) noexcept
      : window_(interval), per_interval_(per_interval), interval_(interval) {}

  /// @return true when the caller may log this event; *dropped then holds how many were not.
  [[nodiscard]] bool open(std::uint64_t* dropped) noexcept;

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point window_start_{};
  std::chrono::steady_clock::duration window_;  // how long this one is
  unsigned in_window_ = 0;
  std::uint64_t dropped_ = 0;
  const unsigned per_interval_;
  const std::chrono::milliseconds interval_;
};

namespace log = spdlog;

}  // namespace vballoon
