// SPDX-License-Identifier: BSD-3-Clause
//
// service/repeater.hpp - calls a function at an interval, on the control thread's event loop.
// Thread: the control thread.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <utility>

namespace vballoon::service {

/// Calls that are late, because the loop or the host was busy, are not made up for.
class Repeater {
 public:
  Repeater(asio::io_context& loop, std::function<void()> body)
      : timer_(loop), body_(std::move(body)) {}

  /// @param interval  0: stop.
  void start(std::chrono::microseconds interval) {
    stop();
    interval_ = interval;
    if (interval_.count() > 0) wait();
  }
  /// Goes on as it is, or starts anew where the interval is another one.
  void keep(std::chrono::microseconds interval) {
    if (interval != interval_) start(interval);
  }
  void stop() { timer_.cancel(); }

 private:
  void wait() {
    timer_.expires_after(interval_);
    timer_.async_wait([this](const asio::error_code& cancelled) {
      if (cancelled) return;
      body_();
      wait();
    });
  }

  asio::steady_timer timer_;
  std::function<void()> body_;
  std::chrono::microseconds interval_{};
};

}  // namespace vballoon::service
