// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/raw_vmm.hpp - a VMM that says what it likes, whole or not.
#pragma once

#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "driver/message_socket.hpp"
#include "fixture.hpp"

namespace vballoon::model {

inline constexpr auto kGetFeatures = static_cast<std::uint32_t>(wire::Request::kGetFeatures);

class RawVmm {
 public:
  static constexpr std::chrono::seconds kPatience{5};

  explicit RawVmm(const std::string& socket)
      : RawVmm(must(driver::MessageSocket::connect(socket, driver::Deadline(kPatience)))) {}
  explicit RawVmm(driver::MessageSocket socket) : socket_(std::move(socket)) {}

  using Bytes = std::vector<std::byte>;

  /// @param words  the payload, 8 bytes each.
  static Bytes payload(const std::vector<std::uint64_t>& words) {
    Bytes bytes(words.size() * 8);
    if (!words.empty()) std::memcpy(bytes.data(), words.data(), bytes.size());
    return bytes;
  }
  static wire::Header header(std::uint32_t request, std::size_t size, bool need_reply) {
    return {.request = request,
            .flags = wire::kVersion | (need_reply ? wire::kFlagNeedReply : 0U),
            .size = static_cast<std::uint32_t>(size)};
  }

  /// @return false once the backend has ended the connection.
  bool send(std::uint32_t request, const Bytes& bytes = {}, std::span<const int> fds = {},
            bool need_reply = false) {
    const auto head = header(request, bytes.size(), need_reply);
    return socket_.send(head, bytes, fds, driver::Deadline(kPatience)).has_value();
  }
  bool send_bytes(std::span<const std::byte> bytes) {
    return socket_.send_bytes(bytes, {}, driver::Deadline(kPatience)).has_value();
  }

  /// The verdict of REPLY_ACK: 0 is yes. Nothing where the connection ended instead.
  std::optional<std::uint64_t> verdict(std::uint32_t request, const Bytes& bytes = {},
                                       std::span<const int> fds = {}) {
    if (!send(request, bytes, fds, true)) return std::nullopt;
    const auto answer = socket_.receive(driver::Deadline(kPatience));
    std::uint64_t value = 0;
    if (!answer || answer->payload.size() != sizeof(value)) return std::nullopt;
    std::memcpy(&value, answer->payload.data(), sizeof(value));
    return value;
  }

  /// It was shown the door: the end of the connection comes, whatever comes before it.
  [[nodiscard]] bool ended() {
    while (socket_.readable(driver::Deadline(kPatience))) {
      if (!socket_.receive(driver::Deadline(kPatience))) return true;
    }
    return false;
  }
  [[nodiscard]] driver::MessageSocket& socket() { return socket_; }

 private:
  driver::MessageSocket socket_;
};

}  // namespace vballoon::model
