// SPDX-License-Identifier: BSD-3-Clause
//
// service/events/event_log.hpp - the newest events, numbered, and who waits for more.
// What is kept is bounded: a reader who comes late is told how many are gone.
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

#include "base/log.hpp"
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
    unsigned of_a_vm = 20;  ///< in 10 s; what is more is counted, and the next event says so
  };

  /// @param daemon  a number that no other daemon of this host has: when it started.
  EventLog(asio::io_context& loop, std::uint64_t daemon, Limits limits);
  EventLog(asio::io_context& loop, std::uint64_t daemon) : EventLog(loop, daemon, Limits()) {}

  /// @param at_ms  since 1970.
  void add(News news, std::uint64_t at_ms);
  /// The VM is gone, and what was counted of it.
  void forget(const std::string& vm) { gates_.erase(vm); }

  /// Answers with the events after the bookmark: at once if there are any, else when some come, or
  /// with none after the timeout.
  void wait(Bookmark from, std::chrono::milliseconds timeout, Responder done);
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
    Responder done;
    asio::steady_timer timer;
  };
  using Waits = std::map<std::uint64_t, Wait>;  // by a number of their own

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
  std::map<std::string, LogGate> gates_;  // by VM
};

}  // namespace vballoon::service
