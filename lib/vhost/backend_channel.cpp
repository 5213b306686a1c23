// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/backend_channel.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace vballoon::vhost {
namespace {

constexpr std::uint32_t kConfigChange = 2;     // VHOST_USER_BACKEND_CONFIG_CHANGE_MSG
constexpr std::uint32_t kProtocolVersion = 1;  // header flags; no reply wanted

bool is_unix_stream(int fd) noexcept {
  int domain = 0;
  int type = 0;
  socklen_t length = sizeof(int);
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX &&
         ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

}  // namespace

bool BackendChannel::adopt(int fd) {
  fd_ = is_unix_stream(fd) ? UniqueFd::duplicate(fd) : UniqueFd();
  return fd_.valid();
}

BackendChannel::Sent BackendChannel::notify_config_change() {
  if (!fd_.valid()) return Sent::kNoChannel;
  const std::array<std::uint32_t, 3> message{kConfigChange, kProtocolVersion, 0};
  const ssize_t sent =
      ::send(fd_.get(), message.data(), sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(sizeof(message))) return Sent::kYes;
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return Sent::kLater;
  // The channel is broken, or only a part of the message was sent, and the VMM could not read what
  // follows. So nothing more is sent.
  fd_.reset();
  return Sent::kNoChannel;
}

}  // namespace vballoon::vhost
