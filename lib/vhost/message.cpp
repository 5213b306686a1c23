// SPDX-License-Identifier: BSD-3-Clause
#include "message.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace vballoon::vhost {

bool Message::known() const noexcept {
  switch (request()) {
    case Request::kSetFeatures:
    case Request::kResetOwner:
    case Request::kSetMemTable:
    case Request::kSetLogBase:
    case Request::kSetVringNum:
    case Request::kSetVringAddr:
    case Request::kSetVringBase:
    case Request::kGetVringBase:
    case Request::kGetQueueNum:
    case Request::kSetBackendReqFd:
    case Request::kGetConfig:
    case Request::kSetConfig:
    case Request::kAddMemReg:
    case Request::kRemMemReg:
      return true;
  }
  return false;
}

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

bool Message::memory_is_there() const noexcept {
  // Of each region: guest address, size, user address, offset in the file. 8 bytes each.
  constexpr std::size_t kRegions = kPayload + 8;
  constexpr std::size_t kRegionBytes = 32;
  const std::size_t count = std::min<std::size_t>(word(kFds + kMaxFds * sizeof(int)), kMaxFds);
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::uint64_t, 4> region{};
    std::memcpy(region.data(), bytes_ + kRegions + i * kRegionBytes, kRegionBytes);
    struct stat file {};
    const bool regular = ::fstat(static_cast<int>(word(kFds + i * sizeof(int))), &file) == 0 &&
                         S_ISREG(file.st_mode);
    const auto length = static_cast<std::uint64_t>(file.st_size);
    if (regular && (region[3] > length || region[1] > length - region[3])) return false;
  }
  return true;
}

void Message::close_fds() noexcept {
  constexpr std::size_t kCount = kFds + kMaxFds * sizeof(int);
  const std::size_t count = std::min<std::size_t>(word(kCount), kMaxFds);
  for (std::size_t i = 0; i < count; ++i) {
    if (const int fd = static_cast<int>(word(kFds + i * sizeof(int))); fd >= 0) ::close(fd);
  }
  set_word(kCount, 0);
}

}  // namespace vballoon::vhost
