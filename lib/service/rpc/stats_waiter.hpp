// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/stats_waiter.hpp - wait for a guest's answer without holding up anybody else.
// Thread: the event loop's.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "rpc/message.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

/// Called once, now or later, with what goes into the reply.
using Responder = std::function<void(rpc::Outcome<rpc::Body>)>;

class StatsWaiter {
 public:
  StatsWaiter(asio::io_context& loop, vm::Fleet& fleet) : timer_(loop), fleet_(fleet) {}

  /// Asks for a sample and answers when it is there; after the timeout with the one before it,
  /// flagged stale.
  /// @errors of Vm::request_stats; kUnavailable when there was no sample at all.
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
  vm::Fleet& fleet_;
};

}  // namespace vballoon::service
