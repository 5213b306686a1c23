// SPDX-License-Identifier: BSD-3-Clause
//
// driver/balloon_driver.cpp - what a running driver does; balloon_setup.cpp brings it up and down.
#include "driver/balloon_driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "wire/balloon_config.hpp"

namespace vballoon::driver {
namespace {

/// Linux's PAGE_REPORTING_CAPACITY.
constexpr std::size_t kRangesPerReport = 32;
/// VIRTIO_BALLOON_MSG_PRESSURE of the message queue.
constexpr std::uint32_t kPressure = 1;
/// While a buffer is out, statistics are looked at this often, as Linux's work queue would.
constexpr std::chrono::milliseconds kServeInterval{5};

}  // namespace

Result<Used> BalloonDriver::await(DriverQueue& queue) {
  Deadline deadline(options_.timeout);
  do {
    serve_stats();
    const auto used = queue.wait(deadline.or_after(kServeInterval));
    if (lost()) queue.excuse_missing_call();
    if (used) return *used;
    if (!lost()) continue;
    if (auto back = come_back(); !back) return tl::unexpected(back.error());
    deadline = Deadline(options_.timeout);
  } while (!deadline.passed());
  return fail(Code::kUnavailable,
              fmt::format("a buffer was not used within {} ms", options_.timeout.count()));
}

Result<DriverQueue*> BalloonDriver::need(Role role) {
  DriverQueue* const queue = rings_->find(role);
  if (queue != nullptr) return queue;
  return fail(Code::kUnavailable, fmt::format("no {} queue: the feature was not negotiated",
                                              kRoleNames[static_cast<std::size_t>(role)]));
}

DriverQueue& BalloonDriver::queue(Role role) noexcept {
  DriverQueue* const queue = rings_->find(role);
  VB_CHECK(queue != nullptr);
  return *queue;
}

Result<void> BalloonDriver::inflate(std::span<const Pfn> pfns) {
  return inflate_->send(queue(Role::kInflate), pfns, [this](DriverQueue& q) { return await(q); });
}

Result<void> BalloonDriver::deflate(std::span<const Pfn> pfns) {
  return deflate_->send(queue(Role::kDeflate), pfns, [this](DriverQueue& q) { return await(q); });
}

Result<void> BalloonDriver::send_one(Role role, std::span<const Segment> segments) {
  const auto queue = need(role);
  if (!queue) return tl::unexpected(queue.error());
  if (!(*queue)->add(segments)) {
    return fail(Code::kInvalidArgument,
                fmt::format("a chain of {} segments does not fit into a queue of {}",
                            segments.size(), (*queue)->size()));
  }
  (*queue)->publish();
  const auto used = await(**queue);
  if (!used) return tl::unexpected(used.error());
  Traffic& sum = traffic(role);
  ++sum.buffers;
  for (const Segment& segment : segments) sum.pages += bytes_to_pages(segment.len);
  sum.latency.record(static_cast<std::uint64_t>(used->latency.count()));
  return {};
}

Result<void> BalloonDriver::report(std::span<const GpaRange> ranges) {
  std::vector<Segment> segments;
  while (!ranges.empty()) {
    const auto batch = ranges.first(std::min(kRangesPerReport, ranges.size()));
    segments.clear();
    for (const GpaRange& range : batch) {
      segments.push_back({range.first, static_cast<std::uint32_t>(range.bytes), true});
    }
    if (auto sent = send_one(Role::kReport, segments); !sent) return sent;
    ranges = ranges.subspan(batch.size());
  }
  return {};
}

Result<void> BalloonDriver::hint(std::span<const GpaRange> ranges) {
  return hint_command()
      .and_then([this](std::uint32_t id) { return begin_hints(id); })
      .and_then([&] { return hint_pages(ranges); })
      .and_then([this] { return end_hints(); });
}

Result<std::uint32_t> BalloonDriver::hint_command() {
  return read_config(wire::kFreePageHintOffset);
}

Result<void> BalloonDriver::send_word(Role role, std::uint32_t word) {
  std::memcpy(ram_.at(scratch_, sizeof(word)).data(), &word, sizeof(word));
  const std::array<Segment, 1> segment{Segment{.addr = scratch_, .len = sizeof(word)}};
  return send_one(role, segment);
}

Result<void> BalloonDriver::begin_hints(std::uint32_t id) {
  return send_word(Role::kHint, id);
}

Result<void> BalloonDriver::send_pressure() {
  return send_word(Role::kMessage, kPressure);
}

Result<void> BalloonDriver::hint_pages(std::span<const GpaRange> ranges) {
  for (const GpaRange& range : ranges) {
    const std::array<Segment, 1> segment{
        Segment{range.first, static_cast<std::uint32_t>(range.bytes), true}};
    if (auto sent = send_one(Role::kHint, segment); !sent) return sent;
  }
  return {};
}

Result<void> BalloonDriver::end_hints() {
  return begin_hints(wire::kHintStop);
}

Traffic& BalloonDriver::traffic(Role role) noexcept {
  if (role == Role::kInflate) return inflate_->traffic();
  if (role == Role::kDeflate) return deflate_->traffic();
  return traffic_[static_cast<std::size_t>(role)];
}

Traffic BalloonDriver::take_traffic(Role role) noexcept {
  return std::exchange(traffic(role), Traffic{});
}

/// After a backend went away, asks the next one again.
template <typename Ask>
auto BalloonDriver::persist(Ask ask) -> decltype(ask()) {
  for (;;) {
    auto answer = ask();
    if (answer || !options_.reconnect || answer.error().code != Code::kUnavailable) return answer;
    if (auto back = come_back(); !back) return tl::unexpected(back.error());
  }
}

Result<std::uint32_t> BalloonDriver::read_config(std::uint32_t offset) {
  return persist([&] { return front_end_.get_config(offset, sizeof(std::uint32_t)); })
      .map([](const std::vector<std::byte>& bytes) {
        std::uint32_t value = 0;
        std::memcpy(&value, bytes.data(), sizeof(value));
        return value;
      });
}

Result<void> BalloonDriver::write_config(std::uint32_t offset, std::uint32_t value) {
  return persist(
      [&] { return front_end_.set_config(offset, std::as_bytes(std::span(&value, 1))); });
}

Result<std::uint32_t> BalloonDriver::num_pages() {
  return read_config(wire::kNumPagesOffset);
}

Result<void> BalloonDriver::write_actual(std::uint32_t pages) {
  return write_config(wire::kActualOffset, pages);
}

void BalloonDriver::serve_stats() {
  DriverQueue* const queue = rings_->find(Role::kStats);
  if (queue != nullptr) stats_->serve(*queue);
}

Result<bool> BalloonDriver::serve(Deadline deadline) {
  const std::uint64_t before = config_changes_;
  do {
    serve_stats();
    if (lost()) return come_back().map([] { return true; });
    const auto changes = front_end_.config_changes(deadline.or_after(kServeInterval));
    if (!changes && options_.reconnect) continue;
    if (!changes) return tl::unexpected(changes.error());
    config_changes_ = *changes;
  } while (config_changes_ == before && !deadline.passed());
  return config_changes_ != before;
}

void BalloonDriver::set_stats(std::vector<StatEntry> entries) {
  options_.stats = entries;
  stats_->set(std::move(entries));
}

}  // namespace vballoon::driver
