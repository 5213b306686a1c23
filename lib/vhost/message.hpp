// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/message.hpp - a vhost-user message as librte_vhost gives it to an external handler.
// Source: vhost-user protocol, "Message Specification". DPDK lib/vhost/vhost_user.h says that the
//         layout is kept for external handlers.
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

/// check_message() refuses requests that this device does not have.
using wire::Request;

/// Payload of GET_CONFIG and SET_CONFIG. `header.size` bytes of `region` have a meaning.
struct ConfigPayload {
  wire::ConfigHeader header;
  std::array<std::byte, 256> region{};
};

/// A view of the message. The bytes are librte_vhost's own copy, so no VMM changes them meanwhile.
class Message {
 public:
  /// librte_vhost has room for no more.
  static constexpr std::size_t kMaxPayload =
      RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0) ? 1072 : 632;

  explicit Message(void* context) noexcept : bytes_(static_cast<std::byte*>(context)) {}

  [[nodiscard]] Request request() const noexcept { return static_cast<Request>(word(0)); }
  /// The length of the payload. The bytes after it have no meaning.
  [[nodiscard]] std::uint32_t size() const noexcept { return word(8); }
  /// @pre  at + 8 <= size(), or less than the largest payload.
  [[nodiscard]] std::uint64_t number(std::size_t at) const noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_ + kPayload + at, sizeof(value));
    return value;
  }

  /// @pre  no longer than size().
  void copy_payload(std::span<std::byte> to) const noexcept {
    if (!to.empty()) std::memcpy(to.data(), bytes_ + kPayload, to.size());
  }

  /// The ring that a vring message is about: the first word of the payload.
  [[nodiscard]] std::uint32_t ring_index() const noexcept { return word(kPayload); }
  /// What SET_VRING_NUM, _BASE and _ENABLE say of it: the word behind that.
  [[nodiscard]] std::uint32_t ring_value() const noexcept { return word(kPayload + 4); }
  /// The ring of SET_VRING_KICK, _CALL and _ERR: the low byte of that word. A flag is above it.
  [[nodiscard]] std::uint32_t fd_ring_index() const noexcept { return ring_index() & 0xFF; }

  [[nodiscard]] std::size_t region_count() const noexcept { return word(kPayload); }
  /// @pre  the message has region `i`.
  [[nodiscard]] wire::MemoryRegion region(std::size_t i) const noexcept {
    wire::MemoryRegion region;
    const std::size_t at = sizeof(wire::MemoryHeader) + i * sizeof(region);
    std::memcpy(&region, bytes_ + kPayload + at, sizeof(region));
    return region;
  }

  /// @return nothing where the message is shorter than its payload says.
  [[nodiscard]] std::optional<ConfigPayload> config() const noexcept;
  void reply_config(const ConfigPayload& payload) noexcept;
  /// @return nothing where the message has another length.
  [[nodiscard]] std::optional<wire::Inflight> inflight() const noexcept;
  /// Makes a reply of the same length, and closes the descriptors that came with the message.
  /// @param fd  stays open until after_message(); the reply is sent before.
  void reply_inflight(const wire::Inflight& payload, int fd) noexcept;
  /// Refuses a config request, in the way of the protocol.
  void reply_empty() noexcept { set_word(8, 0); }
  void reply_u64(std::uint64_t value) noexcept;

  /// Clears the front end's request for an acknowledgement (VHOST_USER_NEED_REPLY).
  void want_no_reply() noexcept { set_word(4, word(4) & ~wire::kFlagNeedReply); }

  [[nodiscard]] bool wants_reply() const noexcept { return (word(4) & wire::kFlagNeedReply) != 0; }

  /// Puts the descriptors into the message with which it came (arrived.hpp).
  /// @pre  at most 8, and the message has none.
  void attach(std::span<const int> fds) noexcept;
  /// @return the descriptor of a message with exactly one; librte_vhost still owns it.
  [[nodiscard]] std::optional<int> single_fd() const noexcept;
  [[nodiscard]] std::size_t fd_count() const noexcept;
  /// @pre  i < fd_count().
  [[nodiscard]] int fd(std::size_t i) const noexcept {
    return static_cast<int>(word(kFds + i * sizeof(int)));
  }
  /// Closes the descriptors that came with the message. A reply then has none, either.
  void close_fds() noexcept;

 private:
  static constexpr std::size_t kPayload = 12;
  /// The offset of 8 descriptors, then their number, after the message. DPDK 25.03 moved it, for
  /// the crypto messages.
  static constexpr std::size_t kFds = kPayload + kMaxPayload;
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
