// SPDX-License-Identifier: BSD-3-Clause
#include "message.hpp"

#include <algorithm>

namespace vballoon::vhost {

std::optional<ConfigPayload> Message::config() const noexcept {
  ConfigPayload payload;
  if (size() < ConfigPayload::kHeaderBytes) return std::nullopt;
  std::memcpy(&payload, bytes_ + kPayload, std::min<std::size_t>(size(), sizeof(payload)));
  const std::size_t held = std::min<std::size_t>(size(), sizeof(payload));
  if (payload.size > held - ConfigPayload::kHeaderBytes) return std::nullopt;
  return payload;
}

void Message::reply_config(const ConfigPayload& payload) noexcept {
  std::memcpy(bytes_ + kPayload, &payload, ConfigPayload::kHeaderBytes + payload.size);
  set_word(8, static_cast<std::uint32_t>(ConfigPayload::kHeaderBytes) + payload.size);
}

void Message::reply_u64(std::uint64_t value) noexcept {
  std::memcpy(bytes_ + kPayload, &value, sizeof(value));
  set_word(8, sizeof(value));
}

std::optional<int> Message::single_fd() const noexcept {
  if (word(kFds + kMaxFds * sizeof(int)) != 1) return std::nullopt;
  const int fd = static_cast<int>(word(kFds));
  if (fd < 0) return std::nullopt;
  return fd;
}

}  // namespace vballoon::vhost
