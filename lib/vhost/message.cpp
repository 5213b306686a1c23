// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/message.hpp"

#include <unistd.h>

#include <algorithm>

namespace vballoon::vhost {

std::optional<ConfigPayload> Message::config() const noexcept {
  ConfigPayload payload;
  if (size() < sizeof(payload.header)) return std::nullopt;
  std::memcpy(&payload, bytes_ + kPayload, std::min<std::size_t>(size(), sizeof(payload)));
  const std::size_t held = std::min<std::size_t>(size(), sizeof(payload));
  if (payload.header.size > held - sizeof(payload.header)) return std::nullopt;
  return payload;
}

void Message::reply_config(const ConfigPayload& payload) noexcept {
  const std::size_t bytes = sizeof(payload.header) + payload.header.size;
  std::memcpy(bytes_ + kPayload, &payload, bytes);
  set_word(8, static_cast<std::uint32_t>(bytes));
}

std::optional<wire::Inflight> Message::inflight() const noexcept {
  wire::Inflight payload;
  if (size() < wire::kInflightBytes || size() > sizeof(payload)) return std::nullopt;
  std::memcpy(&payload, bytes_ + kPayload, size());
  return payload;
}

void Message::reply_inflight(const wire::Inflight& payload, int fd) noexcept {
  close_fds();
  std::memcpy(bytes_ + kPayload, &payload, wire::kInflightBytes);
  set_word(kFds, static_cast<std::uint32_t>(fd));
  set_word(kFds + kMaxFds * sizeof(int), 1);
}

void Message::reply_u64(std::uint64_t value) noexcept {
  std::memcpy(bytes_ + kPayload, &value, sizeof(value));
  set_word(8, sizeof(value));
}

void Message::attach(std::span<const int> fds) noexcept {
  for (std::size_t i = 0; i < fds.size(); ++i) {
    set_word(kFds + i * sizeof(int), static_cast<std::uint32_t>(fds[i]));
  }
  set_word(kFds + kMaxFds * sizeof(int), static_cast<std::uint32_t>(fds.size()));
}

std::size_t Message::fd_count() const noexcept {
  // librte_vhost has the number as an int.
  return std::min<std::size_t>(word(kFds + kMaxFds * sizeof(int)), kMaxFds);
}

std::optional<int> Message::single_fd() const noexcept {
  if (fd_count() != 1 || fd(0) < 0) return std::nullopt;
  return fd(0);
}

void Message::close_fds() noexcept {
  for (std::size_t i = 0; i < fd_count(); ++i) {
    if (fd(i) >= 0) ::close(fd(i));
  }
  set_word(kFds + kMaxFds * sizeof(int), 0);
}

}  // namespace vballoon::vhost
