// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-exporter/figures.hpp - the daemon's figures, asked for at most once a second.
// Thread: one owner; blocks while the daemon answers.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

namespace vballoon::exporter {

class Figures {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param rpc_socket  of the daemon.
  /// @param stop        ends a wait for its answer early. Outlives this.
  Figures(std::string rpc_socket, const std::atomic<bool>& stop)
      : rpc_socket_(std::move(rpc_socket)), stop_(stop) {}

  /// Asks the daemon, unless its last answer is younger than a second: many that ask cost it as
  /// much as one. Without an answer standard error tells why, once until it changes.
  /// @return whether text() is another one now.
  bool renew();
  /// The daemon's figures as Prometheus reads them, and vballoon_up; that alone, 0, where it does
  /// not answer.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  void say(const std::string& what);

  const std::string rpc_socket_;
  const std::atomic<bool>& stop_;
  std::string text_;
  std::string said_;
  Clock::time_point answered_{};
};

}  // namespace vballoon::exporter
