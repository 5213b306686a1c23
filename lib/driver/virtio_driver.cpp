// SPDX-License-Identifier: BSD-3-Clause
//
// driver/virtio_driver.cpp - a guest's life; virtio_setup.cpp brings the driver up.
#include "driver/virtio_driver.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "wire/balloon_config.hpp"

namespace vballoon::driver {

Result<Used> VirtioDriver::await(DriverQueue& queue) {
  const std::chrono::milliseconds timeout = virtio_options().timeout;
  Deadline deadline(timeout);
  do {
    serve_requests();
    const auto used = queue.wait(deadline.or_after(kServeInterval));
    if (lost()) queue.excuse_missing_call();
    if (used) return *used;
    if (!lost()) continue;
    if (auto back = come_back(); !back) return tl::unexpected(back.error());
    deadline = Deadline(timeout);
  } while (!deadline.passed());
  return fail(Code::kUnavailable,
              fmt::format("a buffer was not used within {} ms", timeout.count()));
}

Result<DriverQueue*> VirtioDriver::need(Role role) {
  DriverQueue* const queue = find(role);
  if (queue != nullptr) return queue;
  return fail(Code::kUnavailable, fmt::format("no {} queue: the feature was not negotiated",
                                              kRoleNames[static_cast<std::size_t>(role)]));
}

DriverQueue& VirtioDriver::queue(Role role) noexcept {
  DriverQueue* const queue = find(role);
  VB_CHECK(queue != nullptr);
  return *queue;
}

/// After a backend went away, asks the next one again.
template <typename Ask>
auto VirtioDriver::persist(Ask ask) -> decltype(ask()) {
  for (;;) {
    auto answer = ask();
    if (answer || !virtio_options().reconnect || answer.error().code != Code::kUnavailable) {
      return answer;
    }
    if (auto back = come_back(); !back) return tl::unexpected(back.error());
  }
}

Result<std::vector<std::byte>> VirtioDriver::read_config(std::uint32_t offset, std::uint32_t size) {
  return persist([&] { return front_end_.get_config(offset, size); });
}

Result<void> VirtioDriver::write_config(std::uint32_t offset, std::span<const std::byte> bytes) {
  return persist([&] { return front_end_.set_config(offset, bytes); });
}

Result<bool> VirtioDriver::await_config_change(Deadline deadline) {
  const std::uint64_t before = config_changes_;
  do {
    serve_requests();
    if (lost()) return come_back().map([] { return true; });
    const auto changes = front_end_.config_changes(deadline.or_after(kServeInterval));
    if (!changes && virtio_options().reconnect) continue;
    if (!changes) return tl::unexpected(changes.error());
    config_changes_ = *changes;
  } while (config_changes_ == before && !deadline.passed());
  return config_changes_ != before;
}

Result<void> VirtioDriver::reconnect(MessageSocket socket) {
  front_end_ = FrontEnd(std::move(socket), virtio_options().timeout);
  config_changes_ = 0;
  return connect()
      .and_then([this]() -> Result<void> {
        if ((acked_.bits() & ~offered_.bits()) == 0) return {};
        return fail(Code::kInvalidArgument, "the backend offers less than the one before it did");
      })
      .and_then([this] { return tell_features_and_memory(); })
      .and_then([this] {
        const bool told = inflight_ && (agreed_ & wire::protocol::kInflightShmfd) != 0;
        rings_->abandon(told);
        ++reconnections_;
        return start_rings();
      });
}

Result<void> VirtioDriver::migrate(MessageSocket socket) {
  const auto config = front_end_.get_config(0, wire::kConfigBytes);
  if (!config) return tl::unexpected(config.error());
  front_end_ = FrontEnd(std::move(socket), virtio_options().timeout);
  config_changes_ = 0;
  inflight_.reset();  // of the old backend
  return connect()
      .and_then([this] { return tell_features_and_memory(); })
      .and_then([&] { return front_end_.set_config(0, *config); })
      .and_then([this] { return start_rings(); });
}

/// A backend may go away again before it is told everything.
Result<void> VirtioDriver::come_back() {
  const Deadline deadline(virtio_options().patience);
  for (;;) {
    auto socket = virtio_options().reconnect(deadline);
    if (!socket) return tl::unexpected(socket.error());
    auto back = reconnect(*std::move(socket));
    if (back) rings_->expect_owed_calls(Deadline(virtio_options().timeout));
    if (lost()) rings_->excuse_missing_calls();
    if (back || back.error().code != Code::kUnavailable || deadline.passed()) return back;
  }
}

Result<void> VirtioDriver::need_backend() {
  if (!front_end_.gone()) return {};
  if (virtio_options().reconnect) return come_back();
  return fail(Code::kUnavailable, "the backend closed the connection");
}

Result<void> VirtioDriver::stop_for_good() {
  return rings_->stop(front_end_).map([this] { past_violations_ = violations(); });
}

Result<void> VirtioDriver::pause() {
  return rings_->stop(front_end_);
}

Result<void> VirtioDriver::resume() {
  // As a VMM continues: features and memory table are told again, then the rings.
  return front_end_.set_features(acked_.bits())
      .and_then([this] { return front_end_.set_mem_table(ram_); })
      .and_then([this] { return start_rings(); });
}

Result<void> VirtioDriver::update_memory() {
  return front_end_.set_mem_table(ram_);
}

}  // namespace vballoon::driver
