// SPDX-License-Identifier: BSD-3-Clause
//
// wire/vhost_user.hpp - the vhost-user messages as they travel.
// Host byte order, as the protocol says.
// Source: vhost-user protocol, "Message Specification" and "Front-end message types".
#pragma once

#include <cstddef>
#include <cstdint>

namespace vballoon::wire {

enum class Request : std::uint32_t {
  kGetFeatures = 1,
  kSetFeatures = 2,
  kSetOwner = 3,
  kResetOwner = 4,
  kSetMemTable = 5,
  kSetLogBase = 6,
  kSetLogFd = 7,
  kSetVringNum = 8,
  kSetVringAddr = 9,
  kSetVringBase = 10,
  kGetVringBase = 11,
  kSetVringKick = 12,
  kSetVringCall = 13,
  kSetVringErr = 14,
  kGetProtocolFeatures = 15,
  kSetProtocolFeatures = 16,
  kGetQueueNum = 17,
  kSetVringEnable = 18,
  kSetBackendReqFd = 21,
  kGetConfig = 24,
  kSetConfig = 25,
  kGetInflightFd = 31,
  kSetInflightFd = 32,
  kResetDevice = 34,
  kGetMaxMemSlots = 36,
  kAddMemReg = 37,
  kRemMemReg = 38,
};

/// What the backend may ask the front end, over the channel of kSetBackendReqFd.
enum class BackendRequest : std::uint32_t { kIotlb = 1, kConfigChange = 2 };

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kFlagReply = 4;
inline constexpr std::uint32_t kFlagNeedReply = 8;

namespace protocol {
inline constexpr std::uint64_t kMq = 1U << 0;
inline constexpr std::uint64_t kLogShmfd = 1U << 1;
inline constexpr std::uint64_t kReplyAck = 1U << 3;
inline constexpr std::uint64_t kBackendReq = 1U << 5;
inline constexpr std::uint64_t kConfig = 1U << 9;
inline constexpr std::uint64_t kBackendSendFd = 1U << 10;
inline constexpr std::uint64_t kInflightShmfd = 1U << 12;
inline constexpr std::uint64_t kStatus = 1U << 16;
}  // namespace protocol

/// Bit 8 of the number in SET_VRING_KICK, _CALL and _ERR: no descriptor comes with it.
inline constexpr std::uint64_t kNoFd = 1U << 8;

/// How many descriptors come with a message at most. A socket that is only looked into may give
/// those of the message behind as well.
/// @param first  the first 8 bytes of its payload; 0 where there are none.
[[nodiscard]] constexpr std::size_t descriptors_of(Request request, std::uint64_t first) noexcept {
  switch (request) {
    case Request::kSetMemTable:
      return first & 0xFFFFFFFF;
    case Request::kSetVringKick:
    case Request::kSetVringCall:
    case Request::kSetVringErr:
      return (first & kNoFd) != 0 ? 0 : 1;
    case Request::kSetLogBase:
    case Request::kSetLogFd:
    case Request::kSetBackendReqFd:
    case Request::kSetInflightFd:
    case Request::kAddMemReg:
    case Request::kRemMemReg:  // by an older text of the protocol; to be closed
      return 1;
    default:
      return 0;
  }
}

struct Header {
  std::uint32_t request = 0;
  std::uint32_t flags = 0;
  std::uint32_t size = 0;  // bytes of payload behind it
};
static_assert(sizeof(Header) == 12);

struct VringState {
  std::uint32_t index = 0;
  std::uint32_t num = 0;
};

struct VringAddresses {
  std::uint32_t index = 0;
  std::uint32_t flags = 0;
  std::uint64_t descriptors = 0;  // all four are addresses of the front end
  std::uint64_t used = 0;
  std::uint64_t available = 0;
  std::uint64_t log = 0;
};
static_assert(sizeof(VringAddresses) == 40);

struct Inflight {
  std::uint64_t mmap_size = 0;
  std::uint64_t mmap_offset = 0;
  std::uint16_t queues = 0;
  std::uint16_t queue_size = 0;
  std::uint32_t padding = 0;
};
static_assert(sizeof(Inflight) == 24);
/// The bytes of Inflight that the protocol has. Some front ends send the padding as well.
inline constexpr std::uint32_t kInflightBytes = 20;

struct MemoryHeader {
  std::uint32_t regions = 0;
  std::uint32_t padding = 0;
};

struct MemoryRegion {
  std::uint64_t guest_address = 0;
  std::uint64_t size = 0;
  std::uint64_t user_address = 0;
  std::uint64_t mmap_offset = 0;
};
static_assert(sizeof(MemoryRegion) == 32);

inline constexpr unsigned kMaxRegions = 8;

struct ConfigHeader {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(ConfigHeader) == 12);

}  // namespace vballoon::wire
