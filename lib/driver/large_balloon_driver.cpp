// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_balloon_driver.cpp - what the driver says and hears; large_setup.cpp brings it up.
#include "driver/large_balloon_driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "wire/stats.hpp"

namespace vballoon::driver {
namespace {

using wire::large::Header;
using wire::large::kAddressBytes;
using wire::large::MessageType;
using wire::large::Request;
using wire::large::RequestType;
using wire::large::Stat;

/// Of a message that is not in a slot of the sender.
constexpr std::uint64_t kRawCookie = ~std::uint64_t{0};

tl::unexpected<Status> not_taken(const char* feature) {
  return fail(Code::kUnavailable, fmt::format("{} was not negotiated", feature));
}

}  // namespace

bool LargeBalloonDriver::took(wire::large::Feature feature) const noexcept {
  return (acked().bits() >> static_cast<unsigned>(feature) & 1U) != 0;
}

// --- Messages ---

Header LargeBalloonDriver::header(MessageType type, std::uint16_t detail) const noexcept {
  const bool serial = took(wire::large::Feature::kState) && target_;
  return {.type = type, .detail = detail, .serial = serial ? target_->serial : 0};
}

LargeMessage LargeBalloonDriver::of_pages(MessageKind kind, std::span<const Gpa> pages,
                                          unsigned shift) const noexcept {
  const bool release = kind == MessageKind::kRelease;
  LargeMessage message{.kind = kind,
                       .header = header(release ? MessageType::kRelease : MessageType::kPages),
                       .shift = shift,
                       .body = std::as_bytes(pages),
                       .room = release ? static_cast<std::uint32_t>(kAddressBytes) : 0,
                       .pages = pages};
  if (took(wire::large::Feature::kSizes)) message.header.shift = static_cast<std::uint8_t>(shift);
  return message;
}

void LargeBalloonDriver::post(const LargeMessage& message) {
  sender_->add(queue(Role::kToDevice), message);
  queue(Role::kToDevice).publish();
}

/// Sections 7.1 to 7.6: how much the device may have written.
void LargeBalloonDriver::check_length(const LargeAnswer& answer) noexcept {
  bool good = answer.written == 0;
  if (answer.kind == MessageKind::kWithdraw) {
    good = answer.written <= answer.room && answer.written % kAddressBytes == 0;
  } else if (answer.kind == MessageKind::kRelease) {
    good = answer.written == kAddressBytes && answer.count <= answer.pages.size();
  }
  if (!good) ++answers_.bad_length;
}

LargeAnswer LargeBalloonDriver::settle(const Used& used) {
  LargeAnswer answer = sender_->settle(used);
  check_length(answer);
  LargeTraffic& sum = traffic_[static_cast<std::size_t>(answer.kind)];
  ++sum.messages;
  sum.latency.record(static_cast<std::uint64_t>(answer.latency.count()));
  if (answer.kind == MessageKind::kStats) ++stats_answered_;
  return answer;
}

Result<Used> LargeBalloonDriver::await_message() {
  waiting_ = true;
  auto used = await(queue(Role::kToDevice));
  waiting_ = false;
  return used;
}

/// The next message that came back and that somebody waits for: nobody does for statistics.
Result<LargeAnswer> LargeBalloonDriver::next_answer() {
  for (;;) {
    const auto used = await_message();
    if (!used) return tl::unexpected(used.error());
    LargeAnswer answer = settle(*used);
    if (answer.kind != MessageKind::kStats) return answer;
  }
}

Result<void> LargeBalloonDriver::settle_until_ready() {
  while (!sender_->ready(queue(Role::kToDevice))) {
    const auto used = await_message();
    if (!used) return tl::unexpected(used.error());
    static_cast<void>(settle(*used));
  }
  return {};
}

/// @pre  nobody waits for a message but the caller.
Result<LargeAnswer> LargeBalloonDriver::round_trip(const LargeMessage& message) {
  if (auto ready = settle_until_ready(); !ready) return tl::unexpected(ready.error());
  post(message);
  return next_answer();
}

Result<void> LargeBalloonDriver::tell(MessageKind kind, const Header& header,
                                      std::span<const std::byte> body) {
  const LargeMessage message{.kind = kind, .header = header, .body = body};
  return round_trip(message).map([](const LargeAnswer&) {});
}

// --- Pages ---

std::size_t LargeBalloonDriver::pages_a_message() const noexcept {
  const std::size_t most = config_.max_pages;
  return options_.max_pages == 0 ? most : std::min<std::size_t>(most, options_.max_pages);
}

Result<void> LargeBalloonDriver::add(std::span<const Gpa> pages, unsigned shift) {
  DriverQueue& queue = this->queue(Role::kToDevice);
  LargeTraffic& sum = traffic_[static_cast<std::size_t>(MessageKind::kAdd)];
  unsigned out = 0;
  while (!pages.empty() || out != 0) {
    const unsigned before = out;
    while (!pages.empty() && out < options_.depth && sender_->ready(queue)) {
      const auto some = pages.first(std::min(pages_a_message(), pages.size()));
      balloon_.add(some, shift);  // from when the message is available (7.1)
      sum.pages += some.size();
      sum.bytes += some.size() << shift;
      sender_->add(queue, of_pages(MessageKind::kAdd, some, shift));
      pages = pages.subspan(some.size());
      ++out;
    }
    if (out != before) queue.publish();
    if (out == 0) {
      if (auto ready = settle_until_ready(); !ready) return ready;
      continue;
    }
    if (auto answer = next_answer(); !answer) return tl::unexpected(answer.error());
    --out;
  }
  return {};
}

/// What the device may hand back, less what it may not: that is counted and left alone (DRV-13).
std::vector<Gpa> LargeBalloonDriver::take_handed_back(const LargeAnswer& answer) {
  std::vector<Gpa> pages = answer.pages;
  if (answer.kind == MessageKind::kRelease) {
    pages.resize(std::min<std::size_t>(answer.count, pages.size()));
  }
  std::erase_if(pages, [&](Gpa page) {
    if (balloon_.take({page, answer.shift})) return false;
    // DEV-19: a page that is not in the balloon counts as handed back.
    if (answer.kind == MessageKind::kWithdraw) ++answers_.not_in_balloon;
    return true;
  });
  LargeTraffic& sum = traffic_[static_cast<std::size_t>(answer.kind)];
  sum.pages += pages.size();
  sum.bytes += pages.size() << answer.shift;
  return pages;
}

Result<std::vector<Gpa>> LargeBalloonDriver::withdraw(std::size_t pages, unsigned shift) {
  std::vector<Gpa> got;
  while (got.size() < pages) {
    LargeMessage message = of_pages(MessageKind::kWithdraw, {}, shift);
    const std::size_t room = std::min(pages_a_message(), pages - got.size());
    message.room = static_cast<std::uint32_t>(room * kAddressBytes);
    const auto answer = round_trip(message);
    if (!answer) return tl::unexpected(answer.error());
    const std::vector<Gpa> some = take_handed_back(*answer);
    got.insert(got.end(), some.begin(), some.end());
    if (some.size() < room) break;
  }
  return got;
}

Result<std::size_t> LargeBalloonDriver::release(std::span<const Gpa> pages, unsigned shift) {
  if (!took(wire::large::Feature::kRelease)) return not_taken("RELEASE");
  std::size_t done = 0;
  while (done < pages.size()) {
    const auto some = pages.subspan(done).first(std::min(pages_a_message(), pages.size() - done));
    const auto answer = round_trip(of_pages(MessageKind::kRelease, some, shift));
    if (!answer) return tl::unexpected(answer.error());
    static_cast<void>(take_handed_back(*answer));
    done += std::min<std::size_t>(answer->count, some.size());
    if (answer->count < some.size()) break;
  }
  return done;
}

// --- What else it says ---

Result<void> LargeBalloonDriver::send_state(wire::large::Reason reason,
                                            const wire::large::State& state) {
  if (!took(wire::large::Feature::kState)) return not_taken("STATE");
  return tell(MessageKind::kState, header(MessageType::kState, static_cast<std::uint16_t>(reason)),
              std::as_bytes(std::span(&state, 1)));
}

Result<void> LargeBalloonDriver::send_pressure(wire::large::Level level,
                                               const wire::large::Pressure& pressure) {
  if (!took(wire::large::Feature::kPressure)) return not_taken("PRESSURE");
  return tell(MessageKind::kPressure,
              header(MessageType::kPressure, static_cast<std::uint16_t>(level)),
              std::as_bytes(std::span(&pressure, 1)));
}

/// Answers that are under way come back before it.
Result<void> LargeBalloonDriver::send_stats() {
  if (auto ready = settle_until_ready(); !ready) return ready;
  stats_wanted_.push_back(target_ ? target_->serial : 0);
  answer_stats();
  while (queue(Role::kToDevice).outstanding() != 0) {
    const auto used = await_message();
    if (!used) return tl::unexpected(used.error());
    static_cast<void>(settle(*used));
  }
  return {};
}

std::vector<Stat> LargeBalloonDriver::stats() const {
  if (!options_.stats.empty()) return options_.stats;
  const std::uint64_t total = ram().bytes() - std::min(ram().bytes(), balloon_.bytes());
  const auto tag = [](wire::StatTag known) { return static_cast<std::uint16_t>(known); };
  return {{.tag = tag(wire::StatTag::kFree), .value = total / 2},
          {.tag = tag(wire::StatTag::kTotal), .value = total},
          {.tag = wire::large::kBalloonTag, .value = balloon_.bytes()}};
}

// --- Requests ---

/// DRV-4, DRV-6. What the last target was counts only once all of them are read.
void LargeBalloonDriver::on_request(const Request& request) {
  if (request.type == RequestType::kStats) return stats_wanted_.push_back(request.serial);
  if (request.type != RequestType::kResize) return;
  target_ = LargeTarget{.units = request.value,
                        .effort = std::min(request.effort, wire::large::Effort::kSweep),
                        .serial = request.serial};
  ++resizes_;
}

/// DRV-18. An answer waits for room in todevq, and nobody waits for it.
void LargeBalloonDriver::answer_stats() {
  while (!stats_wanted_.empty() && sender_->ready(queue(Role::kToDevice))) {
    const std::vector<Stat> entries = stats();
    Header head = header(MessageType::kStats);
    if (took(wire::large::Feature::kState)) head.serial = stats_wanted_.front();
    stats_wanted_.pop_front();
    post({.kind = MessageKind::kStats, .header = head, .body = std::as_bytes(std::span(entries))});
  }
}

void LargeBalloonDriver::accept(const Used& used) {
  const auto request = requests_->accept(queue(Role::kFromDevice), used, &answers_);
  if (request) on_request(*request);
}

void LargeBalloonDriver::serve_requests() {
  while (const auto used = queue(Role::kFromDevice).poll()) accept(*used);
  answer_stats();
  if (waiting_) return;
  while (const auto used = queue(Role::kToDevice).poll()) static_cast<void>(settle(*used));
}

Result<bool> LargeBalloonDriver::serve(Deadline deadline) {
  DriverQueue& from = queue(Role::kFromDevice);
  const std::uint64_t before = resizes_;
  do {
    serve_requests();
    if (resizes_ != before) return true;
    if (auto there = need_backend(); !there) return tl::unexpected(there.error());
    const auto used = from.wait(deadline.or_after(kServeInterval));
    if (lost()) from.excuse_missing_call();
    if (used) accept(*used);
  } while (resizes_ == before && !deadline.passed());
  answer_stats();
  return resizes_ != before;
}

LargeTraffic LargeBalloonDriver::take_traffic(MessageKind kind) noexcept {
  return std::exchange(traffic_[static_cast<std::size_t>(kind)], LargeTraffic{});
}

// --- Messages that no driver sends ---

Result<std::uint32_t> LargeBalloonDriver::exchange(std::span<const Segment> segments) {
  DriverQueue& queue = this->queue(Role::kToDevice);
  if (!queue.add(segments, kRawCookie)) {
    return fail(Code::kInvalidArgument, "a message of more segments than the queue has free");
  }
  queue.publish();
  auto used = await_message();
  while (used && used->cookie != kRawCookie) {
    static_cast<void>(settle(*used));
    used = await_message();
  }
  return used.map([](const Used& back) { return back.written; });
}

Result<RawAnswer> LargeBalloonDriver::exchange(std::span<const std::byte> readable,
                                               std::uint32_t room) {
  const auto bytes = ram().at(scratch_, kScratchBytes);
  if (readable.size() + room > bytes.size()) {
    return fail(Code::kInvalidArgument, "a message longer than its scratch memory");
  }
  std::ranges::copy(readable, bytes.begin());
  const auto writable = bytes.subspan(readable.size(), room);
  std::ranges::fill(writable, std::byte{0xA5});
  std::vector<Segment> segments;
  if (!readable.empty()) {
    segments.push_back({scratch_, static_cast<std::uint32_t>(readable.size()), false});
  }
  if (room != 0) segments.push_back({Gpa{scratch_.value + readable.size()}, room, true});
  return exchange(segments).map([&](std::uint32_t written) {
    return RawAnswer{written, {writable.begin(), writable.end()}};
  });
}

}  // namespace vballoon::driver
