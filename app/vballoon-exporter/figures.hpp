// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-exporter/figures.hpp - the daemon's figures, asked for at most once a second.
// Thread: one owner; blocks while the daemon answers.
#pragma once

#include <chrono>
#include <string>

namespace vballoon::exporter {

class Figures {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param rpc_socket  of the daemon.
  explicit Figures(std::string rpc_socket) : rpc_socket_(std::move(rpc_socket)) {}

  /// @return the daemon's figures as Prometheus reads them, and vballoon_up. Without an answer
  ///         that alone, 0; standard error tells why, once until it changes. What was answered in
  ///         the last second is the answer again: many that ask cost the daemon as much as one.
  [[nodiscard]] const std::string& text(Clock::time_point now = Clock::now());

 private:
  void ask();
  void say(const std::string& what);

  const std::string rpc_socket_;
  std::string text_;
  std::string said_;
  Clock::time_point asked_{};
};

}  // namespace vballoon::exporter
