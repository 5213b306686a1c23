// SPDX-License-Identifier: BSD-3-Clause
//
// service/events/event_log.hpp - the newest events, numbered, and the readers that wait for more.
// The number of kept events is bounded: a late reader is told how many are gone.
// Thread: the control thread.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/json_writer.hpp"
#include "service/events/watcher.hpp"
#include "service/rpc/stats_waiter.hpp"

namespace vballoon::service {

/// Where a reader stands.
struct Bookmark {
  std::uint64_t after = 0;   ///< the number of the last event that it has
  std::uint64_t daemon = 0;  ///< whose number that is
};

class EventLog {
 public:
  struct Limits {
    std::size_t kept = 1024;
    /// In 10 s. What is more is counted, and the next event says so; but what an operator has to
    /// see is always told.
    unsigned of_a_vm = 20;
  };

  /// @param daemon  a number that no other daemon of this host has: when it started.
  EventLog(asio::io_context& loop, std::uint64_t daemon, Limits limits);
  EventLog(asio::io_context& loop, std::uint64_t daemon) : EventLog(loop, daemon, Limits()) {}

  /// @param at_ms  since 1970.
  void add(News news, std::uint64_t at_ms);
  /// The VM is gone, and what was counted of it.
  void forget_vm(const std::string& vm) { paces_.erase(vm); }

  /// Answers with the events after the bookmark: at once if there are any, else when some come, or
  /// with none after the timeout.
  void wait(Bookmark from, std::chrono::milliseconds timeout, Asker asker, Responder done);
  /// Drops the waits of one that is gone, without an answer.
  void forget(Asker asker);
  /// How many wait.
  [[nodiscard]] std::size_t waiting() const noexcept { return waits_.size(); }
  /// Where a reader stands who has all that there is now.
  [[nodiscard]] Bookmark end() const noexcept { return {last_, daemon_}; }

  /// Drops all waits, without an answer.
  void stop();

 private:
  struct Event {
    std::uint64_t number;
    std::uint64_t at_ms;
    std::uint64_t untold;  // of this VM before this one, beyond its limit
    News news;
  };
  struct Wait {
    Bookmark from;
    Asker asker;
    Responder done;
    asio::steady_timer timer;
  };
  /// How many of a VM's events were told in the present ten seconds, and how many were not.
  struct Pace {
    std::chrono::steady_clock::time_point begin{};
    unsigned told = 0;
    std::uint64_t untold = 0;
  };
  using Waits = std::map<std::uint64_t, Wait>;  // by a number of their own

  [[nodiscard]] bool too_many(const News& news, std::uint64_t* untold);
  [[nodiscard]] std::uint64_t first_after(const Bookmark& from) const noexcept;
  [[nodiscard]] rpc::Body answer(const Bookmark& from) const;
  static void write(const Event& event, rpc::JsonWriter* out);
  void time_out(std::uint64_t number);
  void answer_all();

  asio::io_context& loop_;
  const std::uint64_t daemon_;
  const Limits limits_;
  std::uint64_t last_ = 0;    // the number of the newest event
  std::deque<Event> events_;  // the newest ones
  Waits waits_;
  std::uint64_t waits_so_far_ = 0;
  std::map<std::string, Pace> paces_;  // by VM
};

}  // namespace vballoon::service
