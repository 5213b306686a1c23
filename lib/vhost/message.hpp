// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/message.hpp - a vhost-user message as librte_vhost hands it to an external handler.
// Source: vhost-user protocol, "Message Specification"; DPDK lib/vhost/vhost_user.h says of the
//         layout that it is kept for external handlers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "vhost/rte_vhost_include.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::vhost {

/// Those of this device are let through, any other is refused (check_message()).
using wire::Request;

/// Payload of GET_CONFIG and SET_CONFIG; `size` bytes of the region are meant.
struct ConfigPayload {
  static constexpr std::size_t kHeaderBytes = 12;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
  std::array<std::byte, 256> region{};
};

/// Payload of GET_INFLIGHT_FD and SET_INFLIGHT_FD; front ends send padding behind it, or none.
struct InflightPayload {
  static constexpr std::size_t kBytes = 20;
  std::uint64_t mmap_size = 0;
  std::uint64_t mmap_offset = 0;
  std::uint16_t num_queues = 0;
  std::uint16_t queue_size = 0;
  std::uint32_t padding = 0;
};

/// Payload of SET_MEM_TABLE: the number of regions, 4 bytes of padding, and of each region this.
struct RegionText {
  static constexpr std::size_t kFirst = 8;
  static constexpr std::size_t kBytes = 32;
  std::uint64_t guest_address = 0;
  std::uint64_t bytes = 0;
  std::uint64_t user_address = 0;
  std::uint64_t file_offset = 0;
  /// librte_vhost looks no further: vhost_memory_changed() in DPDK lib/vhost/vhost_user.c.
  [[nodiscard]] bool same_addresses(const RegionText& other) const noexcept {
    return guest_address == other.guest_address && bytes == other.bytes &&
           user_address == other.user_address;
  }
};

/// A view of the message; the bytes are librte_vhost's own copy, so no VMM changes them meanwhile.
class Message {
 public:
  explicit Message(void* context) noexcept : bytes_(static_cast<std::byte*>(context)) {}

  [[nodiscard]] Request request() const noexcept { return static_cast<Request>(word(0)); }
  /// Bytes of payload. What stands behind them is whatever stood there before.
  [[nodiscard]] std::uint32_t size() const noexcept { return word(8); }
  /// @pre  at + 8 <= size(), or less than the largest payload.
  [[nodiscard]] std::uint64_t number(std::size_t at) const noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_ + kPayload + at, sizeof(value));
    return value;
  }

  /// The ring that a vring message is about: in all of them the first word of the payload.
  [[nodiscard]] std::uint32_t ring_index() const noexcept { return word(kPayload); }
  /// Of SET_VRING_KICK, _CALL and _ERR its low byte: a flag stands above it.
  [[nodiscard]] std::uint32_t fd_ring_index() const noexcept { return ring_index() & 0xFF; }

  [[nodiscard]] std::size_t region_count() const noexcept { return word(kPayload); }
  /// @pre  so many are in the message.
  [[nodiscard]] RegionText region(std::size_t i) const noexcept {
    const std::size_t at = RegionText::kFirst + i * RegionText::kBytes;
    return {number(at), number(at + 8), number(at + 16), number(at + 24)};
  }

  /// @return nothing where the message is shorter than it says it is.
  [[nodiscard]] std::optional<ConfigPayload> config() const noexcept;
  void reply_config(const ConfigPayload& payload) noexcept;
  /// Likewise.
  [[nodiscard]] std::optional<InflightPayload> inflight() const noexcept;
  /// In a reply of the same length. @param fd  lent until the reply is sent, which is before
  /// after_message(); descriptors that came with the message are closed.
  void reply_inflight(const InflightPayload& payload, int fd) noexcept;
  /// The protocol's way to refuse a config request.
  void reply_empty() noexcept { set_word(8, 0); }
  void reply_u64(std::uint64_t value) noexcept;

  /// Takes back the front end's wish for an acknowledgement (VHOST_USER_NEED_REPLY).
  void want_no_reply() noexcept { set_word(4, word(4) & ~wire::kFlagNeedReply); }

  [[nodiscard]] bool wants_reply() const noexcept { return (word(4) & wire::kFlagNeedReply) != 0; }

  /// Puts descriptors into it that came with it (arrived.hpp).
  /// @pre  At most 8; it has none.
  void attach(std::span<const int> fds) noexcept;
  /// The one file descriptor that came with the message, still librte_vhost's own.
  [[nodiscard]] std::optional<int> single_fd() const noexcept;
  [[nodiscard]] std::size_t fd_count() const noexcept;
  /// @pre  i < fd_count().
  [[nodiscard]] int fd(std::size_t i) const noexcept {
    return static_cast<int>(word(kFds + i * sizeof(int)));
  }
  /// Closes all that came with the message; a reply then carries none either.
  void close_fds() noexcept;

 private:
  static constexpr std::size_t kPayload = 12;
  /// Behind the message: 8 descriptors, then their number. Grew with the crypto messages of 25.03.
  static constexpr std::size_t kFds = RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0) ? 1084 : 644;
  static constexpr std::size_t kMaxFds = 8;

  [[nodiscard]] std::uint32_t word(std::size_t offset) const noexcept {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes_ + offset, sizeof(value));
    return value;
  }
  void set_word(std::size_t offset, std::uint32_t value) noexcept {
    std::memcpy(bytes_ + offset, &value, sizeof(value));
  }

  std::byte* bytes_;
};

}  // namespace vballoon::vhost
