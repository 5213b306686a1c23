// SPDX-License-Identifier: BSD-3-Clause
#include "service/events/event_log.hpp"

#include <algorithm>
#include <utility>

namespace vballoon::service {
namespace {

constexpr std::chrono::seconds kPaceOf{10};

/// The last of these may be the last event of its VM for long.
bool is_always_told(std::string_view kind) {
  return kind == "broken" || kind == "set_aside" || kind == "removed";
}

}  // namespace

EventLog::EventLog(asio::io_context& loop, std::uint64_t daemon, Limits limits)
    : loop_(loop), daemon_(daemon), limits_(limits) {}

void EventLog::add(News news, std::uint64_t at_ms) {
  std::uint64_t untold = 0;
  if (too_many(news, &untold)) return;
  events_.push_back({++last_, at_ms, untold, std::move(news)});
  if (events_.size() > limits_.kept) events_.pop_front();
  answer_all();
}

/// @param untold  of the VM before, where this one is not too many.
bool EventLog::too_many(const News& news, std::uint64_t* untold) {
  Pace& pace = paces_[news.vm];
  const auto now = std::chrono::steady_clock::now();
  if (now - pace.begin >= kPaceOf) {
    pace.begin = now;
    pace.told = 0;
  }
  if (pace.told >= limits_.of_a_vm && !is_always_told(news.kind)) {
    ++pace.untold;
    return true;
  }
  ++pace.told;
  *untold = std::exchange(pace.untold, 0);
  return false;
}

void EventLog::wait(Bookmark from, std::chrono::milliseconds timeout, Asker asker, Responder done) {
  const bool some = first_after(from) <= last_ || from.daemon != daemon_;
  from.after = std::min(from.after, last_);  // no event has a higher number yet
  if (some || timeout.count() == 0) return done(answer(from));
  const std::uint64_t number = ++waits_so_far_;
  Wait wait{from, asker, std::move(done), asio::steady_timer(loop_, timeout)};
  auto& timer = waits_.emplace(number, std::move(wait)).first->second.timer;
  timer.async_wait([this, number](const asio::error_code& cancelled) {
    if (!cancelled) time_out(number);
  });
}

void EventLog::forget(Asker asker) {
  std::erase_if(waits_, [asker](const auto& entry) { return entry.second.asker == asker; });
}

void EventLog::stop() {
  waits_.clear();
}

/// An event may have answered it since its time was over.
void EventLog::time_out(std::uint64_t number) {
  auto over = waits_.extract(number);
  if (!over.empty()) over.mapped().done(answer(over.mapped().from));
}

/// An answer may lead to a new wait, so the list is taken before any responder is called.
void EventLog::answer_all() {
  for (auto& [number, wait] : std::exchange(waits_, {})) wait.done(answer(wait.from));
}

/// @return the number of the first event that a reader lacks, whether it is still kept or not.
std::uint64_t EventLog::first_after(const Bookmark& from) const noexcept {
  return from.daemon == daemon_ ? from.after + 1 : 1;
}

rpc::Body EventLog::answer(const Bookmark& from) const {
  const std::uint64_t wanted = first_after(from);
  const std::uint64_t kept = last_ + 1 - events_.size();  // the number of the first one that is
  rpc::JsonWriter out;
  out.begin_object();
  out.field("daemon", daemon_);
  out.field("last", last_);
  out.field("lost", wanted < kept ? kept - wanted : 0);
  out.field("another_daemon", from.daemon != daemon_);
  out.key("events");
  out.begin_array();
  for (std::size_t i = wanted > kept ? wanted - kept : 0; i < events_.size(); ++i) {
    write(events_[i], &out);
  }
  out.end_array();
  out.end_object();
  return rpc::Body(out.take());
}

void EventLog::write(const Event& event, rpc::JsonWriter* out) {
  out->begin_object();
  out->field("number", event.number);
  out->field("at_ms", event.at_ms);
  out->field("vm", event.news.vm);
  out->field("kind", event.news.kind);
  out->field("text", event.news.text);
  out->field("untold", event.untold);
  out->end_object();
}

}  // namespace vballoon::service
