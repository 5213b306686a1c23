// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/stats_waiter.hpp - waits for guests' statistics without holding up the loop.
// Thread: the control thread.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rpc/message.hpp"
#include "vm/fleet.hpp"

namespace vballoon::service {

/// Is called once, at once or later, with the content of the reply.
using Responder = std::function<void(rpc::Outcome<rpc::Body>)>;
/// Whose question it is, for forget(). Is compared, never followed.
using Asker = const void*;

class StatsWaiter {
 public:
  StatsWaiter(asio::io_context& loop, vm::Fleet& fleet) : timer_(loop), fleet_(fleet) {}

  /// Asks the guest for a sample, and answers when the sample comes. After the timeout it answers
  /// with the sample before, flagged as not fresh.
  /// @errors as Vm::request_stats; kUnavailable when the guest has never sent a sample.
  void ask(const std::string& name, std::chrono::milliseconds timeout, Asker asker, Responder done);

  /// Drops the waits of one that is gone, without an answer.
  void forget(Asker asker);

  /// Drops all waits, without an answer.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Wait {
    std::string name;
    std::uint64_t sequence;
    std::chrono::milliseconds timeout;
    Clock::time_point deadline;
    Asker asker;
    Responder done;
  };
  void look_later();
  void look();
  [[nodiscard]] std::optional<rpc::Outcome<rpc::Body>> answer_to(const Wait& wait) const;

  std::vector<Wait> waits_;
  asio::steady_timer timer_;
  vm::Fleet& fleet_;
};

}  // namespace vballoon::service
