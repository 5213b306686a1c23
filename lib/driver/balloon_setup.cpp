// SPDX-License-Identifier: BSD-3-Clause
//
// driver/balloon_setup.cpp - from the connection to running rings, and through a guest's life.
#include <fmt/format.h>

#include <cstring>

#include "driver/balloon_driver.hpp"
#include "wire/balloon_config.hpp"
#include "wire/stats.hpp"

namespace vballoon::driver {
namespace {

using wire::Feature;

constexpr unsigned kReportEntries = 32;
constexpr std::uint64_t kScratchBytes = 64;

/// What this front end can do at all.
constexpr std::uint64_t kOurProtocol = wire::protocol::kMq | wire::protocol::kLogShmfd |
                                       wire::protocol::kReplyAck | wire::protocol::kBackendReq |
                                       wire::protocol::kConfig | wire::protocol::kBackendSendFd |
                                       wire::protocol::kInflightShmfd;

constexpr std::uint64_t kOurFeatures = wire::Features{}
                                           .with(Feature::kMustTellHost)
                                           .with(Feature::kStatsVq)
                                           .with(Feature::kDeflateOnOom)
                                           .with(Feature::kFreePageHint)
                                           .with(Feature::kPagePoison)
                                           .with(Feature::kReporting)
                                           .with(Feature::kIndirectDesc)
                                           .with(Feature::kVhostProtocolFeatures)
                                           .with(Feature::kVersion1)
                                           .with(Feature::kRingPacked)
                                           .with(Feature::kInOrder)
                                           .bits();

std::vector<StatEntry> default_stats(const GuestRam& ram) {
  return {{static_cast<std::uint16_t>(wire::StatTag::kFree), ram.bytes() / 2},
          {static_cast<std::uint16_t>(wire::StatTag::kTotal), ram.bytes()}};
}

}  // namespace

BalloonDriver::BalloonDriver(MessageSocket socket, const GuestRam& ram, DriverOptions options)
    : front_end_(std::move(socket), options.timeout), ram_(ram), options_(std::move(options)) {}

Result<std::unique_ptr<BalloonDriver>> BalloonDriver::start(MessageSocket socket,
                                                            const GuestRam& ram,
                                                            DriverOptions options) {
  std::unique_ptr<BalloonDriver> driver(
      new BalloonDriver(std::move(socket), ram, std::move(options)));
  if (auto up = driver->connect(); !up) return tl::unexpected(up.error());
  if (auto up = driver->set_up(); !up) return tl::unexpected(up.error());
  return driver;
}

Result<void> BalloonDriver::connect() {
  const auto offered = front_end_.get_features();
  if (!offered) return tl::unexpected(offered.error());
  offered_ = wire::Features(*offered);
  if (offered_.has(Feature::kVhostProtocolFeatures)) {
    if (auto agreed = negotiate_protocol(); !agreed) return agreed;
  }
  return front_end_.set_owner();
}

Result<void> BalloonDriver::negotiate_protocol() {
  const auto offered = front_end_.get_protocol_features();
  if (!offered) return tl::unexpected(offered.error());
  agreed_ = *offered & kOurProtocol & options_.protocol_features;
  return front_end_.set_protocol_features(agreed_).and_then([&]() -> Result<void> {
    if ((agreed_ & wire::protocol::kBackendReq) == 0) return {};
    return front_end_.set_backend_req_fd();
  });
}

Result<void> BalloonDriver::set_up() {
  inflight_.reset();  // a new driver's rings are others
  acked_ = wire::Features(offered_.bits() & kOurFeatures & options_.features);
  return lay_out()
      .and_then([this] { return front_end_.set_features(acked_.bits()); })
      .and_then([this] { return front_end_.set_mem_table(ram_); })
      .and_then([this] { return tell_inflight(); })
      .and_then([this] { return write_poison(); })
      .and_then([this] { return start_rings(); });
}

/// Where hints or reports are offered, too, bit 2 is the specification's DEFLATE_ON_OOM.
bool BalloonDriver::messages_agreed() const noexcept {
  return options_.message_queue && acked_.has(Feature::kDeflateOnOom) &&
         !offered_.has(Feature::kFreePageHint) && !offered_.has(Feature::kReporting);
}

QueueShapes BalloonDriver::shapes() const noexcept {
  const bool indirect = acked_.has(Feature::kIndirectDesc) && options_.indirect != Indirect::kNever;
  const bool always = indirect && options_.indirect == Indirect::kAlways;
  QueueShapes shapes;
  for (QueueShape& shape : shapes) {
    shape = {.size = options_.queue_size,
             .indirect_entries = always ? 1U : 0U,
             .wait = options_.wait,
             .packed = acked_.has(Feature::kRingPacked),
             .in_order = acked_.has(Feature::kInOrder)};
  }
  if (indirect) shapes[static_cast<std::size_t>(Role::kReport)].indirect_entries = kReportEntries;
  return shapes;
}

Result<void> BalloonDriver::lay_out() {
  const GpaRange corner{options_.arena_at, options_.arena_bytes};
  if (ram_.at(corner.first, corner.bytes).empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("the driver needs {} bytes at {:#x} in one memory region", corner.bytes,
                            corner.first.value));
  }
  arena_.emplace(corner);
  auto inflate = PfnSender::create(ram_, *arena_, options_.batch_pages, options_.depth);
  auto deflate = PfnSender::create(ram_, *arena_, options_.batch_pages, options_.depth);
  auto stats = StatsResponder::create(ram_, *arena_);
  const auto scratch = arena_->take(kScratchBytes, kScratchBytes);
  // Last: with the buffers before them, all that is in use lies together.
  auto rings = RingSet::create(
      ram_, *arena_, number_queues(acked_, options_.numbering, messages_agreed()), shapes());
  if (!rings) return tl::unexpected(rings.error());
  if (!inflate) return tl::unexpected(inflate.error());
  if (!deflate) return tl::unexpected(deflate.error());
  if (!stats) return tl::unexpected(stats.error());
  if (!scratch) return tl::unexpected(scratch.error());
  rings_.emplace(*std::move(rings));
  inflate_.emplace(*std::move(inflate));
  deflate_.emplace(*std::move(deflate));
  stats_.emplace(*std::move(stats));
  scratch_ = *scratch;
  return {};
}

Result<void> BalloonDriver::write_poison() {
  if (!acked_.has(Feature::kPagePoison)) return {};
  return write_config(wire::kPoisonOffset, options_.poison_value);
}

Result<void> BalloonDriver::start_rings() {
  if (options_.stats.empty()) options_.stats = default_stats(ram_);
  stats_->set(options_.stats);
  DriverQueue* const stats = rings_->find(Role::kStats);
  if (stats != nullptr) stats_->prime(*stats);
  return rings_->start(front_end_, acked_.has(Feature::kVhostProtocolFeatures));
}

/// Asks for a region where there is none yet.
Result<void> BalloonDriver::tell_inflight() {
  if ((agreed_ & wire::protocol::kInflightShmfd) == 0) return {};
  if (!inflight_) {
    auto region = front_end_.get_inflight(rings_->count(), options_.queue_size);
    if (!region) return tl::unexpected(region.error());
    inflight_ = *std::move(region);
  }
  return front_end_.set_inflight(*inflight_);
}

Result<void> BalloonDriver::reconnect(MessageSocket socket) {
  front_end_ = FrontEnd(std::move(socket), options_.timeout);
  config_changes_ = 0;
  return connect()
      .and_then([this]() -> Result<void> {
        if ((acked_.bits() & ~offered_.bits()) == 0) return {};
        return fail(Code::kInvalidArgument, "the backend offers less than the one before it did");
      })
      .and_then([this] { return front_end_.set_features(acked_.bits()); })
      .and_then([this] { return front_end_.set_mem_table(ram_); })
      .and_then([this] { return tell_inflight(); })
      .and_then([this] {
        const bool told = inflight_ && (agreed_ & wire::protocol::kInflightShmfd) != 0;
        rings_->abandon(told);
        ++reconnections_;
        return rings_->start(front_end_, acked_.has(Feature::kVhostProtocolFeatures));
      });
}

Result<void> BalloonDriver::migrate(MessageSocket socket) {
  const auto config = front_end_.get_config(0, wire::kConfigBytes);
  if (!config) return tl::unexpected(config.error());
  front_end_ = FrontEnd(std::move(socket), options_.timeout);
  config_changes_ = 0;
  inflight_.reset();  // of the old backend
  return connect()
      .and_then([this] { return front_end_.set_features(acked_.bits()); })
      .and_then([this] { return front_end_.set_mem_table(ram_); })
      .and_then([this] { return tell_inflight(); })
      .and_then([&] { return front_end_.set_config(0, *config); })
      .and_then([this] {
        return rings_->start(front_end_, acked_.has(Feature::kVhostProtocolFeatures));
      });
}

/// A backend may go away again before it is told everything.
Result<void> BalloonDriver::come_back() {
  const Deadline deadline(options_.patience);
  for (;;) {
    auto socket = options_.reconnect(deadline);
    if (!socket) return tl::unexpected(socket.error());
    auto back = reconnect(*std::move(socket));
    if (back) rings_->expect_owed_calls(Deadline(options_.timeout));
    if (lost()) rings_->excuse_missing_calls();
    if (back || back.error().code != Code::kUnavailable || deadline.passed()) return back;
  }
}

Result<void> BalloonDriver::reset() {
  return reset(options_);
}

Result<void> BalloonDriver::reset(DriverOptions options) {
  return rings_->stop(front_end_).and_then([this, &options] {
    past_violations_ = violations();
    options_ = std::move(options);
    return set_up();
  });
}

Result<void> BalloonDriver::pause() {
  return rings_->stop(front_end_);
}

Result<void> BalloonDriver::resume() {
  // As a VMM continues: features and memory table are told again, then the rings.
  return front_end_.set_features(acked_.bits())
      .and_then([this] { return front_end_.set_mem_table(ram_); })
      .and_then([this] {
        return rings_->start(front_end_, acked_.has(Feature::kVhostProtocolFeatures));
      });
}

Result<void> BalloonDriver::update_memory() {
  return front_end_.set_mem_table(ram_);
}

}  // namespace vballoon::driver
