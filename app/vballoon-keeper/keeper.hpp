// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-keeper/keeper.hpp - one daemon at a time, and what it hands over, from start to end.
// Thread: the only one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/socket_file.hpp"
#include "base/unique_fd.hpp"
#include "held.hpp"
#include "keep/notifier.hpp"

namespace vballoon::keeper {

struct Settings {
  std::vector<std::string> daemon;  ///< its program and arguments
  std::size_t max = 4096;           ///< descriptors kept at a time
  double longest_pause_s = 10;      ///< before another start
  double steady_s = 10;             ///< a daemon that was up so long is started at once again
};

class Keeper {
 public:
  explicit Keeper(const Settings& settings) : settings_(settings), held_(settings.max) {}

  /// Until the daemon ends for good.
  /// @return the exit status.
  /// @errors kHost with the reason, before anything is started.
  [[nodiscard]] Result<int> run();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Result<void> listen();
  void start();
  [[noreturn]] void become_daemon() const;
  void wait();
  void read_signals();
  void obey(int signal);
  void end_daemon(int signal);
  void read_notices();
  void see_to_end();
  void plan_start();

  const Settings& settings_;
  const keep::Notifier manager_;  // the keeper's own
  Held held_;
  UniqueFd signals_;
  UniqueFd notices_;
  std::optional<SocketFile> notice_file_;

  pid_t daemon_ = -1;
  Clock::time_point started_;
  std::optional<Clock::time_point> start_at_;  // while there is no daemon
  std::chrono::milliseconds pause_{0};
  bool child_ended_ = false;
  bool was_ready_ = false;  // once: an end before is the keeper's, too
  bool ending_ = false;
  bool restarting_ = false;
  std::optional<int> exit_status_;
};

}  // namespace vballoon::keeper
