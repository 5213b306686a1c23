// SPDX-License-Identifier: BSD-3-Clause
//
// driver/child_process.hpp - a program that runs beside its caller and never outlives it.
// Thread: one owner. The kernel kills the child when the thread that started it ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace vballoon::driver {

class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// @param words   the program's path, then its arguments.
  /// @param output  both streams are appended to this file.
  /// @param before  what the new process does before the program, such as to drop its rights.
  /// @pre   nothing runs. Other threads of the caller may hold a lock that `before` wants.
  Result<void> start(std::vector<std::string> words, const std::filesystem::path& output,
                     const std::function<void()>& before = {});

  [[nodiscard]] bool running();
  /// @return whether it ended within this time, or before.
  [[nodiscard]] bool wait(std::chrono::milliseconds patience);
  /// To a child that ended: nothing.
  void send(int signal) noexcept;
  /// What still runs, at once.
  void kill() noexcept;

  /// -1 when nothing runs.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// As waitpid(2) has it, of the last child that ended by itself or by send().
  [[nodiscard]] std::optional<int> wait_status() const noexcept { return wait_status_; }
  /// "signal 11", "exit status 1"; empty while there is no wait status.
  [[nodiscard]] std::string ending() const;

 private:
  pid_t pid_ = -1;
  std::optional<int> wait_status_;
};

/// The whole text of a file; nothing where there is none.
[[nodiscard]] std::string text_of(const std::filesystem::path& file);

}  // namespace vballoon::driver
