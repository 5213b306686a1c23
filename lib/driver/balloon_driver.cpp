// SPDX-License-Identifier: BSD-3-Clause
#include "driver/balloon_driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "wire/balloon_config.hpp"
#include "wire/stats.hpp"

namespace vballoon::driver {
namespace {

/// Linux's PAGE_REPORTING_CAPACITY.
constexpr std::size_t kRangesPerReport = 32;
/// VIRTIO_BALLOON_MSG_PRESSURE of the message queue.
constexpr std::uint32_t kPressure = 1;
constexpr std::uint64_t kScratchBytes = 64;

using wire::Feature;

constexpr wire::Features kOurFeatures = wire::Features{}
                                            .with(Feature::kMustTellHost)
                                            .with(Feature::kStatsVq)
                                            .with(Feature::kDeflateOnOom)
                                            .with(Feature::kFreePageHint)
                                            .with(Feature::kPagePoison)
                                            .with(Feature::kReporting);

std::vector<StatEntry> default_stats(const GuestRam& ram) {
  return {{static_cast<std::uint16_t>(wire::StatTag::kFree), ram.bytes() / 2},
          {static_cast<std::uint16_t>(wire::StatTag::kTotal), ram.bytes()}};
}

}  // namespace

BalloonDriver::BalloonDriver(MessageSocket socket, const GuestRam& ram, DriverOptions options)
    : VirtioDriver(std::move(socket), ram, options.timeout, kOurFeatures),
      options_(std::move(options)) {}

Result<std::unique_ptr<BalloonDriver>> BalloonDriver::start(MessageSocket socket,
                                                            const GuestRam& ram,
                                                            DriverOptions options) {
  std::unique_ptr<BalloonDriver> driver(
      new BalloonDriver(std::move(socket), ram, std::move(options)));
  if (auto up = driver->connect(); !up) return tl::unexpected(up.error());
  if (auto up = driver->set_up(); !up) return tl::unexpected(up.error());
  return driver;
}

/// Where hints or reports are offered, too, bit 2 is the specification's DEFLATE_ON_OOM.
bool BalloonDriver::messages_agreed() const noexcept {
  return options_.message_queue && acked().has(Feature::kDeflateOnOom) &&
         !offered().has(Feature::kFreePageHint) && !offered().has(Feature::kReporting);
}

QueueNumbers BalloonDriver::numbers() const noexcept {
  return number_queues(acked(), options_.numbering, messages_agreed());
}

unsigned BalloonDriver::indirect_entries(Role role) const noexcept {
  return role == Role::kReport ? kRangesPerReport : 0;
}

Result<void> BalloonDriver::lay_out_buffers(Arena& arena) {
  auto inflate = PfnSender::create(ram(), arena, options_.batch_pages, options_.depth);
  auto deflate = PfnSender::create(ram(), arena, options_.batch_pages, options_.depth);
  auto stats = StatsResponder::create(ram(), arena);
  const auto scratch = arena.take(kScratchBytes, kScratchBytes);
  if (!inflate) return tl::unexpected(inflate.error());
  if (!deflate) return tl::unexpected(deflate.error());
  if (!stats) return tl::unexpected(stats.error());
  if (!scratch) return tl::unexpected(scratch.error());
  inflate_.emplace(*std::move(inflate));
  deflate_.emplace(*std::move(deflate));
  stats_.emplace(*std::move(stats));
  scratch_ = *scratch;
  return {};
}

Result<void> BalloonDriver::prepare() {
  if (options_.stats.empty()) options_.stats = default_stats(ram());
  stats_->set(options_.stats);
  if (acked().has(Feature::kPagePoison)) {
    auto written = write_word(wire::kPoisonOffset, options_.poison_value);
    if (!written) return written;
  }
  DriverQueue* const stats = find(Role::kStats);
  if (stats != nullptr) stats_->prime(*stats);
  return {};
}

void BalloonDriver::serve_requests() {
  DriverQueue* const queue = find(Role::kStats);
  if (queue != nullptr) stats_->serve(*queue);
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
  return read_word(wire::kFreePageHintOffset);
}

Result<void> BalloonDriver::send_word(Role role, std::uint32_t word) {
  std::memcpy(ram().at(scratch_, sizeof(word)).data(), &word, sizeof(word));
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

Result<std::uint32_t> BalloonDriver::read_word(std::uint32_t offset) {
  return read_config(offset, sizeof(std::uint32_t)).map([](const std::vector<std::byte>& bytes) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  });
}

Result<void> BalloonDriver::write_word(std::uint32_t offset, std::uint32_t value) {
  return write_config(offset, std::as_bytes(std::span(&value, 1)));
}

Result<std::uint32_t> BalloonDriver::num_pages() {
  return read_word(wire::kNumPagesOffset);
}

Result<void> BalloonDriver::write_actual(std::uint32_t pages) {
  return write_word(wire::kActualOffset, pages);
}

Result<void> BalloonDriver::reset() {
  return reset(options_);
}

Result<void> BalloonDriver::reset(DriverOptions options) {
  return stop_for_good().and_then([this, &options] {
    options_ = std::move(options);
    return set_up();
  });
}

void BalloonDriver::set_stats(std::vector<StatEntry> entries) {
  options_.stats = entries;
  stats_->set(std::move(entries));
}

}  // namespace vballoon::driver
