// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/driver/fake_backend.hpp - a thread that answers vhost-user messages by a script.
#pragma once

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "driver/message_socket.hpp"

namespace vballoon::driver {

/// What the backend answers: a payload, or nothing for no answer at all.
using Answer = std::optional<std::vector<std::byte>>;
using Script = std::function<Answer(const Message&)>;

template <typename T>
std::vector<std::byte> to_bytes(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

/// Runs until the other end closes. A message that wants an acknowledgement and gets no answer from
/// the script is acknowledged with 0.
class FakeBackend {
 public:
  FakeBackend(MessageSocket socket, Script script)
      : socket_(std::move(socket)), script_(std::move(script)), thread_([this] { serve(); }) {}

  [[nodiscard]] std::vector<std::uint32_t> seen() {
    const std::scoped_lock lock(mutex_);
    return seen_;
  }

 private:
  void serve() {
    while (auto message = socket_.receive(Deadline(std::chrono::seconds(10)))) {
      {
        const std::scoped_lock lock(mutex_);
        seen_.push_back(message->header.request);
      }
      Answer answer = script_(*message);
      if (!answer && (message->header.flags & wire::kFlagNeedReply) != 0) {
        answer = to_bytes(std::uint64_t{0});
      }
      if (!answer) continue;
      const wire::Header head{.request = message->header.request,
                              .flags = wire::kVersion | wire::kFlagReply,
                              .size = static_cast<std::uint32_t>(answer->size())};
      if (!socket_.send(head, *answer, {}, Deadline(std::chrono::seconds(1)))) return;
    }
  }

  MessageSocket socket_;
  Script script_;
  std::mutex mutex_;
  std::vector<std::uint32_t> seen_;
  std::jthread thread_;
};

}  // namespace vballoon::driver
