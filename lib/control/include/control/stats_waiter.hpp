// SPDX-License-Identifier: BSD-3-Clause
//
// control/stats_waiter.hpp - wait for a guest's answer without holding up anybody else.
// Layer:  control; may include base/, device/ and rpc/; asio.
// Thread: the event loop's.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "control/backend.hpp"
#include "rpc/error.hpp"

namespace vballoon::control {

/// Called once, now or later, with what goes into the reply.
using Responder = std::function<void(rpc::Outcome<rpc::Json>)>;

class StatsWaiter {
 public:
  StatsWaiter(asio::io_context& loop, Backend& backend) : timer_(loop), backend_(backend) {}

  /// Asks for a sample and answers when it is there; after the timeout with the one before it,
  /// flagged stale.
  /// @errors of Backend::request_stats; kUnavailable when there was no sample at all.
  void ask(const std::string& name, std::chrono::milliseconds timeout, Responder done);

  /// Drops every wait without an answer.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Wait {
    std::string name;
    std::uint64_t sequence;
    std::chrono::milliseconds timeout;
    Clock::time_point deadline;
    Responder done;
  };
  void look_later();
  void look();
  bool answered(const Wait& wait);

  std::vector<Wait> waits_;
  asio::steady_timer timer_;
  Backend& backend_;
};

}  // namespace vballoon::control
