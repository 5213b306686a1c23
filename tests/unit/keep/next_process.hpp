// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/keep/next_process.hpp - the process after this one, and what the manager hands to it.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "keep/store.hpp"

namespace vballoon::keep {

/// A process to which the manager hands this under that name.
/// @return what the body returned there.
inline bool in_the_next_process(int fd, const char* name,
                                const std::function<bool(Inherited&)>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::dup2(fd, 100) < 0 || ::dup2(100, 3) < 0) ::_exit(2);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    ::setenv("LISTEN_FDNAMES", name, 1);
    Inherited all = Inherited::take();
    ::_exit(body(all) ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace vballoon::keep
