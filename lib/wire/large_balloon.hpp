// SPDX-License-Identifier: BSD-3-Clause
//
// wire/large_balloon.hpp - virtio device 13, the balloon of large pages, as it lies in memory.
// Pure values, little-endian.
// Source: docs/device-13.md; sections and clauses (DEV-n) are that document's.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace vballoon::wire::large {

static_assert(std::endian::native == std::endian::little, "messages are read as they lie");

inline constexpr std::uint32_t kVirtioDeviceId = 13;

/// Section 3. Transport bits are those of wire/features.hpp; VERSION_1 is required (DEV-1).
enum class Feature : unsigned {
  kSizes = 0,         ///< pages of each size in Config::size_mask
  kNode = 1,          ///< pages of node Config::node only
  kNodeStats = 2,     ///< statistics of each node
  kPressure = 3,      ///< the driver tells when the guest is short of memory
  kDeflateOnOom = 4,  ///< a guest out of memory takes pages back, whatever the target is
  kRelease = 5,       ///< the driver takes back pages that it names
  kState = 6,         ///< effort, serial, and the driver's answer to a target
};
inline constexpr unsigned kFeatures = 7;

[[nodiscard]] constexpr std::uint64_t bit(Feature feature) noexcept {
  return std::uint64_t{1} << static_cast<unsigned>(feature);
}

/// Section 5: numbers of the virtqueues.
inline constexpr unsigned kFromDeviceQueue = 0;
inline constexpr unsigned kToDeviceQueue = 1;
inline constexpr unsigned kQueues = 2;

inline constexpr unsigned kMinPageShift = 12;
inline constexpr unsigned kMaxPageShift = 43;
inline constexpr std::uint32_t kAnyNode = 0xffffffff;
inline constexpr std::uint32_t kMaxPages = 512;  ///< the most that Config::max_pages may say

/// Section 4: read-only, and never changes (DEV-2).
struct Config {
  std::uint32_t page_shift = kMinPageShift;  ///< the unit of amounts, and the smallest page
  std::uint32_t node = kAnyNode;             ///< by the firmware's number; with kNode
  std::uint32_t max_pages = 0;               ///< addresses in one message, 1 to kMaxPages
  std::uint32_t size_mask = 0;               ///< bit n: pages of 2^(12+n) bytes; with kSizes
};
static_assert(sizeof(Config) == 16 && offsetof(Config, node) == 4);
static_assert(offsetof(Config, max_pages) == 8 && offsetof(Config, size_mask) == 12);

/// Section 6.
enum class RequestType : std::uint16_t { kResize = 0, kStats = 1 };

/// What finding pages may cost the guest; each includes the one before.
enum class Effort : std::uint16_t {
  kFree = 0,     ///< what is free and whole
  kReclaim = 1,  ///< a bounded attempt to compact and reclaim, page by page
  kSweep = 2,    ///< whatever can be emptied by moving what is in it
};

/// What the device writes into a buffer of fromdevq: all of it (DEV-4).
struct Request {
  RequestType type = RequestType::kResize;
  Effort effort = Effort::kFree;  ///< with kState; else 0
  std::uint32_t serial = 0;       ///< with kState; else 0
  std::uint64_t value = 0;        ///< of kResize: the target, in units
};
static_assert(sizeof(Request) == 16 && offsetof(Request, effort) == 2);
static_assert(offsetof(Request, serial) == 4 && offsetof(Request, value) == 8);

/// Section 7. kPages adds where the addresses are readable, and withdraws where they are writable.
enum class MessageType : std::uint8_t {
  kPages = 0,
  kStats = 1,
  kRelease = 2,
  kState = 3,
  kPressure = 4,
};

/// Begins each message of todevq.
struct Header {
  MessageType type = MessageType::kPages;
  std::uint8_t shift = 0;    ///< of every page in the message; 0: Config::page_shift
  std::uint16_t detail = 0;  ///< a Reason or a Level
  std::uint32_t serial = 0;  ///< a claim of the guest's (DEV-20)
};
static_assert(sizeof(Header) == 8 && offsetof(Header, shift) == 1);
static_assert(offsetof(Header, detail) == 2 && offsetof(Header, serial) == 4);

/// Of a page in kPages and kRelease, and of the count that the device writes into kRelease.
inline constexpr std::size_t kAddressBytes = 8;

/// Section 7.5.
enum class Reason : std::uint16_t {
  kReached = 0,
  kWorking = 1,
  kExhausted = 2,  ///< nothing more with this effort
  kNoNode = 3,
  kWithheld = 4,  ///< wants pages back, and was handed none
  kOom = 5,       ///< does not inflate, for the guest has just run out of memory
  kLeaving = 6,   ///< about to reset the device
};

/// Behind the header of kState. A claim of the guest's (DEV-20).
struct State {
  std::uint64_t size = 0;        ///< units
  std::uint64_t target = 0;      ///< units
  std::uint32_t longest_us = 0;  ///< to find one page, since the last State
  std::uint32_t reserved = 0;
};
static_assert(sizeof(State) == 24 && offsetof(State, target) == 8);
static_assert(offsetof(State, longest_us) == 16 && offsetof(State, reserved) == 20);

/// Section 7.6.
enum class Level : std::uint16_t { kBackground = 1, kDirect = 2, kOom = 3 };

/// Behind the header of kPressure.
struct Pressure {
  std::uint32_t node = 0;   ///< 0: the whole guest, or several nodes; n + 1: node n
  std::uint32_t count = 0;  ///< since the last Pressure, at this level
};
static_assert(sizeof(Pressure) == 8 && offsetof(Pressure, count) == 4);

/// Tags beyond those of wire/stats.hpp (section 7.3).
inline constexpr std::uint16_t kFreeLargeTag = 16;  ///< bytes that effort kFree can take
inline constexpr std::uint16_t kBalloonTag = 17;    ///< bytes in the balloon

/// Behind the header of kStats, any number of them; unknown tags are legal (DEV-23).
struct Stat {
  std::uint16_t tag = 0;
  std::uint16_t node = 0;  ///< as in Pressure
  std::uint32_t reserved = 0;
  std::uint64_t value = 0;
};
static_assert(sizeof(Stat) == 16 && offsetof(Stat, node) == 2);
static_assert(offsetof(Stat, reserved) == 4 && offsetof(Stat, value) == 8);

static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Header> &&
              std::is_trivially_copyable_v<State> && std::is_trivially_copyable_v<Stat>);

/// Whether pages of 2^shift bytes may be in a message (DEV-15).
[[nodiscard]] constexpr bool offers_size(const Config& config, bool sizes,
                                         unsigned shift) noexcept {
  if (!sizes) return shift == config.page_shift;
  if (shift < config.page_shift || shift > kMaxPageShift) return false;
  return ((config.size_mask >> (shift - kMinPageShift)) & 1) != 0;
}

/// The page shift of a message: 0 is short for the smallest.
[[nodiscard]] constexpr unsigned page_shift(const Config& config, const Header& header) noexcept {
  return header.shift == 0 ? config.page_shift : header.shift;
}

/// DEV-3, and the bounds of section 4: whether a device may show this.
[[nodiscard]] constexpr bool is_valid(const Config& config) noexcept {
  if (config.page_shift < kMinPageShift || config.page_shift > kMaxPageShift) return false;
  if (config.max_pages == 0 || config.max_pages > kMaxPages) return false;
  const unsigned lowest = config.page_shift - kMinPageShift;
  return config.size_mask != 0 && std::countr_zero(config.size_mask) == static_cast<int>(lowest);
}

}  // namespace vballoon::wire::large
