// SPDX-License-Identifier: BSD-3-Clause
//
// support/ending.hpp - a process that ends at a step of its own choice (keep/step.hpp).
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "keep/step.hpp"

namespace vballoon::support {

inline int steps_left = 0;  // of the process that is to end

inline void end_at_step(keep::Step) noexcept {
  if (--steps_left == 0) ::_exit(0);
}

/// Runs `body` in a process that ends at this step, counted from 1 over all of them.
/// @return whether it came so far.
[[nodiscard]] inline bool ends_at(int step, const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    steps_left = step;
    keep::step_watch.store(end_at_step);
    body();
    ::_exit(1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace vballoon::support
