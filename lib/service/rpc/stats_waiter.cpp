// SPDX-License-Identifier: BSD-3-Clause
#include "service/rpc/stats_waiter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "service/rpc/device_json.hpp"

namespace vballoon::service {
namespace {

// A guest answers within a few milliseconds, and a client does not notice this much more.
constexpr std::chrono::milliseconds kLookEvery{10};

rpc::Body answer(const std::string& name, const vm::DeviceReport& report, bool fresh) {
  rpc::JsonWriter out;
  out.begin_object();
  out.field("name", name);
  out.field("fresh", fresh);
  out.field("waiting_ms", report.stats_waiting_ms);
  out.key("stats");
  write_stats(report, &out);
  out.end_object();
  return rpc::Body(out.take());
}

/// @return 0 where there is no sample yet; samples are counted from 1.
std::uint64_t sequence_of(const vm::VmFigures& figures) {
  return figures.stats ? figures.stats->sequence : 0;
}

}  // namespace

void StatsWaiter::ask(const std::string& name, std::chrono::milliseconds timeout, Responder done) {
  const auto vm = fleet_.find(name);
  if (!vm) return done(tl::unexpected(rpc::to_error(vm.error())));
  const std::uint64_t before = sequence_of((*vm)->figures());
  if (auto asked = (*vm)->request_stats(); !asked) {
    return done(tl::unexpected(rpc::to_error(asked.error())));
  }
  const bool was_idle = waits_.empty();
  waits_.push_back(Wait{name, before, timeout, Clock::now() + timeout, std::move(done)});
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
  // An answer may lead to a new wait, so the list is taken before any responder is called.
  std::vector<Wait> open = std::exchange(waits_, {});
  std::erase_if(open, [this](const Wait& wait) { return answered(wait); });
  waits_.insert(waits_.end(), std::make_move_iterator(open.begin()),
                std::make_move_iterator(open.end()));
  if (!waits_.empty()) look_later();
}

bool StatsWaiter::answered(const Wait& wait) {
  const auto vm = fleet_.find(wait.name);
  if (!vm) {
    wait.done(tl::unexpected(rpc::to_error(vm.error())));
    return true;
  }
  const vm::VmFigures now = (*vm)->figures();
  const bool fresh = now.stats && now.stats->sequence != wait.sequence;
  if (!fresh && Clock::now() < wait.deadline) return false;
  if (now.stats) {
    wait.done(answer(wait.name, (*vm)->report(), fresh));
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
