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

void StatsWaiter::ask(const std::string& name, std::chrono::milliseconds timeout, Asker asker,
                      Responder done) {
  const auto vm = fleet_.find(name);
  if (!vm) return done(tl::unexpected(rpc::to_error(vm.error())));
  const std::uint64_t before = sequence_of((*vm)->figures());
  if (auto asked = (*vm)->request_stats(); !asked) {
    return done(tl::unexpected(rpc::to_error(asked.error())));
  }
  const bool was_idle = waits_.empty();
  waits_.push_back(Wait{name, before, timeout, Clock::now() + timeout, asker, std::move(done)});
  if (was_idle) look_later();
}

void StatsWaiter::forget(Asker asker) {
  std::erase_if(waits_, [asker](const Wait& wait) { return wait.asker == asker; });
}

void StatsWaiter::stop() {
  waits_.clear();
  timer_.cancel();
}

/// @pre somebody waits
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
  // An answer may lead to a new wait, or to forget(), so no responder is called on the way.
  struct Due {
    Responder done;
    rpc::Outcome<rpc::Body> answer;
  };
  std::vector<Due> due;
  std::erase_if(waits_, [this, &due](Wait& wait) {
    auto answer = answer_to(wait);
    if (answer) due.push_back({std::move(wait.done), std::move(*answer)});
    return answer.has_value();
  });
  for (const Due& one : due) one.done(one.answer);
  if (!waits_.empty()) look_later();
}

/// @return nothing where it has to wait on.
std::optional<rpc::Outcome<rpc::Body>> StatsWaiter::answer_to(const Wait& wait) const {
  const auto vm = fleet_.find(wait.name);
  if (!vm) return tl::unexpected(rpc::to_error(vm.error()));
  const vm::VmFigures now = (*vm)->figures();
  const bool fresh = now.stats && now.stats->sequence != wait.sequence;
  if (!fresh && Clock::now() < wait.deadline) return std::nullopt;
  if (now.stats) return answer(wait.name, (*vm)->report(), fresh);
  return rpc::refuse(
      rpc::kUnavailable,
      fmt::format("{}: the guest did not answer within {} ms, and never has before; is its "
                  "balloon driver running?",
                  wait.name, wait.timeout.count()));
}

}  // namespace vballoon::service
