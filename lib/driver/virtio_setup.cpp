// SPDX-License-Identifier: BSD-3-Clause
//
// driver/virtio_setup.cpp - from the connection to running rings.
#include <fmt/format.h>

#include <algorithm>

#include "driver/virtio_driver.hpp"

namespace vballoon::driver {
namespace {

using wire::Feature;

/// What this front end can do at all.
constexpr std::uint64_t kOurProtocol = wire::protocol::kMq | wire::protocol::kLogShmfd |
                                       wire::protocol::kReplyAck | wire::protocol::kBackendReq |
                                       wire::protocol::kConfig | wire::protocol::kBackendSendFd |
                                       wire::protocol::kInflightShmfd;

/// What every kind of driver can take.
constexpr wire::Features kTransport = wire::Features{}
                                          .with(Feature::kIndirectDesc)
                                          .with(Feature::kVhostProtocolFeatures)
                                          .with(Feature::kVersion1)
                                          .with(Feature::kRingPacked)
                                          .with(Feature::kInOrder);

}  // namespace

VirtioDriver::VirtioDriver(MessageSocket socket, const GuestRam& ram,
                           std::chrono::milliseconds timeout, wire::Features known)
    : front_end_(std::move(socket), timeout), ram_(ram), known_(known.bits() | kTransport.bits()) {}

Result<void> VirtioDriver::connect() {
  const auto offered = front_end_.get_features();
  if (!offered) return tl::unexpected(offered.error());
  offered_ = wire::Features(*offered);
  if (offered_.has(Feature::kVhostProtocolFeatures)) {
    if (auto agreed = negotiate_protocol(); !agreed) return agreed;
  }
  return front_end_.set_owner();
}

Result<void> VirtioDriver::negotiate_protocol() {
  const auto offered = front_end_.get_protocol_features();
  if (!offered) return tl::unexpected(offered.error());
  agreed_ = *offered & kOurProtocol & virtio_options().protocol_features;
  return front_end_.set_protocol_features(agreed_).and_then([&]() -> Result<void> {
    if ((agreed_ & wire::protocol::kBackendReq) == 0) return {};
    return front_end_.set_backend_req_fd();
  });
}

Result<void> VirtioDriver::set_up() {
  inflight_.reset();  // a new driver's rings are others
  acked_ = wire::Features(offered_.bits() & known_.bits() & virtio_options().features);
  return lay_out()
      .and_then([this] { return tell_features_and_memory(); })
      .and_then([this] { return prepare(); })
      .and_then([this] { return start_rings(); });
}

Result<void> VirtioDriver::lay_out() {
  const GpaRange corner{virtio_options().arena_at, virtio_options().arena_bytes};
  if (ram_.at(corner.first, corner.bytes).empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("the driver needs {} bytes at {:#x} in one memory region", corner.bytes,
                            corner.first.value));
  }
  arena_.emplace(corner);
  if (auto taken = lay_out_buffers(*arena_); !taken) return taken;
  // Last: with the buffers before them, all that is in use lies together.
  auto rings = RingSet::create(ram_, *arena_, numbers(), shapes());
  if (!rings) return tl::unexpected(rings.error());
  rings_.emplace(*std::move(rings));
  return {};
}

QueueShapes VirtioDriver::shapes() const noexcept {
  const VirtioOptions& options = virtio_options();
  const bool indirect = acked_.has(Feature::kIndirectDesc) && options.indirect != Indirect::kNever;
  const unsigned least = options.indirect == Indirect::kAlways ? 1 : 0;
  QueueShapes shapes;
  for (std::size_t role = 0; role < kRoles; ++role) {
    const unsigned entries = std::max(least, indirect_entries(static_cast<Role>(role)));
    shapes[role] = {.size = options.queue_size,
                    .indirect_entries = indirect ? entries : 0,
                    .wait = options.wait,
                    .packed = acked_.has(Feature::kRingPacked),
                    .in_order = acked_.has(Feature::kInOrder),
                    .call_grace = options.call_grace};
  }
  return shapes;
}

Result<void> VirtioDriver::tell_features_and_memory() {
  return front_end_.set_features(acked_.bits())
      .and_then([this] { return front_end_.set_mem_table(ram_); })
      .and_then([this] { return tell_inflight(); });
}

/// Asks for a region where there is none yet.
Result<void> VirtioDriver::tell_inflight() {
  if ((agreed_ & wire::protocol::kInflightShmfd) == 0) return {};
  if (!inflight_) {
    auto region = front_end_.get_inflight(rings_->count(), virtio_options().queue_size);
    if (!region) return tl::unexpected(region.error());
    inflight_ = *std::move(region);
  }
  return front_end_.set_inflight(*inflight_);
}

Result<void> VirtioDriver::start_rings() {
  return rings_->start(front_end_, acked_.has(Feature::kVhostProtocolFeatures));
}

}  // namespace vballoon::driver
