// SPDX-License-Identifier: BSD-3-Clause
//
// wire/stats.hpp - the guest's own memory figures, as its driver sends them.
// Pure values.
// Source: VIRTIO 1.2, 5.5.6.3: packed entries of le16 tag and le64 value; unknown tags are legal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vballoon::wire {

inline constexpr std::size_t kStatEntryBytes = 10;

/// Tags 0-9 are the spec's (5.5.6.4), 10-15 what Linux 6.12 adds.
enum class StatTag : std::uint16_t {
  kSwapIn = 0,
  kSwapOut = 1,
  kMajorFaults = 2,
  kMinorFaults = 3,
  kFree = 4,
  kTotal = 5,
  kAvailable = 6,
  kDiskCaches = 7,
  kHugetlbAllocations = 8,
  kHugetlbFailures = 9,
  kOomKills = 10,
  kAllocStalls = 11,
  kAsyncScan = 12,
  kDirectScan = 13,
  kAsyncReclaim = 14,
  kDirectReclaim = 15,
};
inline constexpr std::size_t kKnownStats = 16;

/// The name that RPC and metrics use, unit last: "free_bytes", "major_faults", ...
[[nodiscard]] std::string_view stat_name(StatTag tag) noexcept;

/// A figure whose tag has no name here: a newer driver's.
struct UnknownStat {
  std::uint16_t tag = 0;
  std::uint64_t value = 0;
};
inline constexpr std::size_t kUnknownKept = 16;

/// One buffer of statistics, decoded. Values are the guest's claims: shown, never trusted. One that
/// cannot be is not present: the figure is unknown, and no other stands in for it.
struct StatsSample {
  std::array<std::uint64_t, kKnownStats> values{};
  std::uint32_t present = 0;       ///< bit t: values[t] was in the buffer
  std::uint32_t nonsense = 0;      ///< bit t: it was there as well, and cannot be
  std::uint32_t unknown_tags = 0;  ///< entries with a tag beyond the known ones
  std::uint32_t left_out = 0;      ///< of these, entries for which there was no room below
  std::uint32_t unknown_count = 0;
  std::array<UnknownStat, kUnknownKept> unknown{};  ///< the first so many tags, in their order

  [[nodiscard]] std::optional<std::uint64_t> get(StatTag tag) const noexcept;
  /// A figure of the buffer; the last one of its tag counts.
  void set(std::uint16_t tag, std::uint64_t value) noexcept;
  /// From now on it is unknown, where it was present.
  void drop(StatTag tag) noexcept;
  /// A tag beyond the known ones.
  void add_unknown(std::uint16_t tag, std::uint64_t value) noexcept;
};

/// Decodes whole entries; of a tag that comes twice the last one counts.
/// @param bytes  a private copy of the buffer; a trailing part of an entry is ignored.
[[nodiscard]] StatsSample decode_stats(std::span<const std::byte> bytes) noexcept;

/// Drops what cannot be: a negative number, as drivers send it when their own query failed
/// (virtio-win sends -1 and -4096); a guest without memory, or with more than its VMM shows; a part
/// that is larger than the whole.
/// @param memory  all that the guest can have, in bytes; 0: that is not known.
void drop_nonsense(std::uint64_t memory, StatsSample* sample) noexcept;

}  // namespace vballoon::wire
