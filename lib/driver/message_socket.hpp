// SPDX-License-Identifier: BSD-3-Clause
//
// driver/message_socket.hpp - whole vhost-user messages over a UNIX socket, with a deadline each.
// Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "driver/deadline.hpp"
#include "wire/vhost_user.hpp"

namespace vballoon::driver {

struct Message {
  wire::Header header;
  std::vector<std::byte> payload;
  std::vector<UniqueFd> fds;
};

class MessageSocket {
 public:
  MessageSocket() noexcept = default;
  explicit MessageSocket(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  /// Connects to a backend that listens; tries again until the deadline while nobody does.
  /// @errors kInvalidArgument for a path that is too long; kUnavailable when the time is up.
  [[nodiscard]] static Result<MessageSocket> connect(const std::string& path, Deadline deadline);

  /// Two ends of one connection. @errors kHost.
  [[nodiscard]] static Result<std::pair<MessageSocket, MessageSocket>> pair();

  /// Sends one message as it is given: header.size is not made to fit the payload.
  /// @param fds  lent for the call; they travel with the first byte.
  /// @errors kUnavailable when the peer is gone or does not read in time.
  Result<void> send(const wire::Header& header, std::span<const std::byte> payload,
                    std::span<const int> fds, Deadline deadline);

  /// Any bytes at all, whether they make a message or not.
  Result<void> send_bytes(std::span<const std::byte> bytes, std::span<const int> fds,
                          Deadline deadline);

  /// The next whole message. @errors kUnavailable when none came in time or the peer is gone;
  /// kInvalidArgument for one with more than 64 KiB of payload.
  [[nodiscard]] Result<Message> receive(Deadline deadline);

  /// Whether there is something to receive (the end of the connection included) by then.
  [[nodiscard]] bool readable(Deadline deadline) const noexcept;

  /// The other end is closed; there may be something to receive all the same.
  [[nodiscard]] bool hung_up() const noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  void close() noexcept { fd_.reset(); }

 private:
  Result<void> receive_bytes(std::span<std::byte> out, std::vector<UniqueFd>* fds,
                             Deadline deadline);

  UniqueFd fd_;
};

/// The front end's socket for a backend that connects to it.
class Listener {
 public:
  /// @errors kAlreadyExists when the path is taken; kHost.
  [[nodiscard]] static Result<Listener> bind(const std::string& path);
  ~Listener();
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;

  /// @errors kUnavailable when no backend came in time.
  [[nodiscard]] Result<MessageSocket> accept(Deadline deadline);

 private:
  Listener(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
};

}  // namespace vballoon::driver
