// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/run_delay.hpp - how long a thread wanted to run and others had the cpus.
// Thread: one owner. Source: Linux, Documentation/scheduler/sched-stats.rst, schedstat of a task.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"

namespace vballoon::soak {

class RunDelay {
 public:
  /// Of a thread by its file in /proc. Always 0 where the kernel does not say.
  explicit RunDelay(const std::string& schedstat);
  /// The thread of the daemon that is this lcore's.
  [[nodiscard]] static RunDelay of_lcore(pid_t daemon, unsigned lcore);

  /// Nanoseconds, since the thread began.
  [[nodiscard]] std::uint64_t ns() const noexcept;

 private:
  UniqueFd file_;
};

}  // namespace vballoon::soak
