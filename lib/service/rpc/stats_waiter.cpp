// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/stats_waiter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "service/rpc/device_json.hpp"

namespace vballoon::service {
namespace {

// A guest answers within a few milliseconds; nobody notices this much more.
constexpr std::chrono::milliseconds kLookEvery{10};

rpc::Json answer(const vm::DeviceReport& report, bool fresh) {
  return {{"name", report.name},
          {"fresh", fresh},
          {"waiting_ms", report.stats_waiting_ms},
          {"stats", stats_json(report.stats)}};
}

/// 0 stands for no sample yet: samples are counted from 1.
std::uint64_t sequence_of(const vm::DeviceReport& report) {
  return report.stats ? report.stats->sequence : 0;
}

}  // namespace

void StatsWaiter::ask(const std::string& name, std::chrono::milliseconds timeout, Responder done) {
  const auto before = backend_.show(name);
  if (!before) return done(tl::unexpected(rpc::to_error(before.error())));
  if (auto asked = backend_.request_stats(name); !asked) {
    return done(tl::unexpected(rpc::to_error(asked.error())));
  }
  const bool was_idle = waits_.empty();
  waits_.push_back(
      Wait{name, sequence_of(*before), timeout, Clock::now() + timeout, std::move(done)});
  if (was_idle) look_later();
}

void StatsWaiter::stop() {
  waits_.clear();
  timer_.cancel();
}

void StatsWaiter::look_later() {
  auto soonest = std::min_element(waits_.begin(), waits_.end(), [](const Wait& a, const Wait& b) {
    return a.deadline < b.deadline;
  });
  timer_.expires_at(std::min(soonest->deadline, Clock::now() + kLookEvery));
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) look();
  });
}

void StatsWaiter::look() {
  // An answer may bring a new question: the list is taken before anybody is called.
  std::vector<Wait> open = std::exchange(waits_, {});
  std::erase_if(open, [this](const Wait& wait) { return answered(wait); });
  waits_.insert(waits_.end(), std::make_move_iterator(open.begin()),
                std::make_move_iterator(open.end()));
  if (!waits_.empty()) look_later();
}

bool StatsWaiter::answered(const Wait& wait) {
  const auto now = backend_.show(wait.name);
  if (!now) {
    wait.done(tl::unexpected(rpc::to_error(now.error())));
    return true;
  }
  const bool fresh = now->stats && now->stats->sequence != wait.sequence;
  if (!fresh && Clock::now() < wait.deadline) return false;
  if (now->stats) {
    wait.done(answer(*now, fresh));
  } else {
    wait.done(rpc::refuse(
        rpc::kUnavailable,
        fmt::format("{}: the guest did not answer within {} ms, and never has before; is its "
                    "balloon driver running?",
                    wait.name, wait.timeout.count())));
  }
  return true;
}

}  // namespace vballoon::service
