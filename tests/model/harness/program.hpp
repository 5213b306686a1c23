// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/program.hpp - a program as somebody types it: what it says, how it ends.
// For a daemon that serves, harness/daemon.hpp.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "driver/child_process.hpp"
#include "driver/temporary_folder.hpp"

namespace vballoon::model {

struct Ended {
  int status = -1;     ///< of its exit; -1: by a signal, or it did not end in time
  std::string output;  ///< of both streams
};

class Program {
 public:
  /// @param words   its path, then its arguments.
  /// @param before  what the new process does first.
  explicit Program(std::vector<std::string> words, const std::function<void()>& before = {});

  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  [[nodiscard]] std::string output() const;
  /// Whether it says so within 20 seconds, and before it ends.
  [[nodiscard]] bool says(const std::string& text);
  /// Waits for its end. @param signal  sent first, unless 0.
  Ended end(int signal = 0);

 private:
  driver::TemporaryFolder folder_;
  driver::ChildProcess process_;
};

/// The path in this variable of the environment. @errors throws where it is not set.
[[nodiscard]] std::string program_in(const char* variable);

}  // namespace vballoon::model
