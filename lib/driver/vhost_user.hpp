// SPDX-License-Identifier: BSD-3-Clause
//
// driver/vhost_user.hpp - the front end's half of the vhost-user protocol.
// Thread: one owner. Every call ends within the timeout.
// Source: vhost-user protocol, "Communication", "Front-end message types", "VHOST_USER_PROTOCOL_F_
//         REPLY_ACK": with it every message without an answer of its own is acknowledged.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/guest_ram.hpp"
#include "driver/message_socket.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::driver {

/// What a front end keeps for its backend, and hands to the next one.
struct InflightRegion {
  wire::Inflight info;
  UniqueFd fd;
};

/// One connection to a backend. All errors: kUnavailable when the backend is gone or silent,
/// kInvalidArgument when it refused the message or answered out of form; each names the message.
class FrontEnd {
 public:
  FrontEnd(MessageSocket socket, std::chrono::milliseconds timeout) noexcept
      : socket_(std::move(socket)), timeout_(timeout) {}

  [[nodiscard]] Result<std::uint64_t> get_features();
  Result<void> set_features(std::uint64_t features);
  [[nodiscard]] Result<std::uint64_t> get_protocol_features();
  /// From here on REPLY_ACK is honoured, if it is among them.
  Result<void> set_protocol_features(std::uint64_t features);
  [[nodiscard]] Result<std::uint64_t> get_queue_num();
  Result<void> set_owner();

  Result<void> set_mem_table(const GuestRam& ram);
  /// Any table at all, for tests of what a backend refuses.
  Result<void> set_mem_table(std::span<const wire::MemoryRegion> regions, std::span<const int> fds);

  Result<void> set_vring_num(unsigned index, unsigned size);
  /// @param base  split: the next avail index; packed: index and wrap counter, available and used.
  Result<void> set_vring_base(unsigned index, std::uint32_t base);
  Result<void> set_vring_addr(const wire::VringAddresses& addresses);
  Result<void> set_vring_kick(unsigned index, std::optional<int> fd);
  Result<void> set_vring_call(unsigned index, std::optional<int> fd);
  Result<void> set_vring_enable(unsigned index, bool enabled);
  /// Stops the ring. @return where the device would go on; packed: with the wrap counter in bit 15.
  [[nodiscard]] Result<std::uint16_t> get_vring_base(unsigned index);

  /// A region that the backend keeps its place in the rings in, for the one after it.
  [[nodiscard]] Result<InflightRegion> get_inflight(unsigned queues, unsigned size);
  Result<void> set_inflight(const InflightRegion& region);

  /// @return `size` bytes of device configuration; kInvalidArgument when the backend has fewer.
  [[nodiscard]] Result<std::vector<std::byte>> get_config(std::uint32_t offset, std::uint32_t size);
  Result<void> set_config(std::uint32_t offset, std::span<const std::byte> bytes);

  /// The dirty log of a migration: so many bytes of this file, from the offset on.
  /// @pre  LOG_SHMFD was agreed on: then it has an answer of its own, without payload.
  Result<void> set_log_base(int fd, std::uint64_t bytes, std::uint64_t offset);

  /// Opens the channel on which the backend asks us.
  Result<void> set_backend_req_fd();
  /// Takes in what the backend sent on it by the deadline, or at once if something is there.
  /// @return configuration changes that it told of since the connection was made.
  [[nodiscard]] Result<std::uint64_t> config_changes(Deadline deadline);

  /// One message without an answer of its own; acknowledged where REPLY_ACK holds.
  Result<void> tell(wire::Request request, std::span<const std::byte> payload,
                    std::span<const int> fds = {});
  /// One message with an answer of its own.
  [[nodiscard]] Result<Message> ask(wire::Request request, std::span<const std::byte> payload,
                                    std::span<const int> fds = {});

  /// The backend closed the connection.
  [[nodiscard]] bool gone() const noexcept { return socket_.hung_up(); }

  /// The connection itself, for messages that no sane front end sends.
  [[nodiscard]] MessageSocket& socket() noexcept { return socket_; }
  [[nodiscard]] std::chrono::milliseconds timeout() const noexcept { return timeout_; }

 private:
  Result<std::uint64_t> ask_number(wire::Request request);
  Result<void> tell_fd(wire::Request request, unsigned index, std::optional<int> fd);
  Result<void> answer_backend(const Message& message);

  MessageSocket socket_;
  MessageSocket backend_requests_;
  std::chrono::milliseconds timeout_;
  std::uint64_t config_changes_ = 0;
  bool reply_ack_ = false;
};

}  // namespace vballoon::driver
