// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/format.hpp - the bytes of a device's state file: this header, then a bit a page.
// Host byte order: a file never leaves its host, nor its boot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vm/state/device_state.hpp"

namespace vballoon::vm {

inline constexpr std::uint64_t kMagic = 0x6e6f6f6c6c616276;  // "vballoon"
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 4096;
inline constexpr std::size_t kMaxRegions = 8;
inline constexpr std::size_t kBootBytes = 40;

/// One region of guest memory, and which file it is.
struct RegionRecord {
  std::uint64_t gpa = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const RegionRecord&, const RegionRecord&) = default;
};

/// Written once, before the file has its name.
struct Fixed {
  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t header_bytes = kHeaderBytes;
  std::array<char, kBootBytes> boot{};
  std::uint64_t pages = 0;
  std::uint64_t regions = 0;
  std::array<RegionRecord, kMaxRegions> region{};
};

inline constexpr std::uint32_t kMostShare = 1'000'000;
inline constexpr std::uint32_t kSaid = 1;
inline constexpr std::uint32_t kSaidOn = 2;
inline constexpr std::uint32_t kConfiguredOn = 4;

struct Header {
  Fixed fixed;
  std::uint64_t fixed_sum = 0;

  // The operator's.
  std::uint32_t target_set = 0;
  std::uint32_t target_pages = 0;
  std::uint32_t inhibited = 0;

  // The guest's, of meaning while `served` is set.
  std::uint32_t served = 0;
  std::uint64_t features = 0;
  std::uint64_t features_check = 0;  // ~features
  std::uint32_t complete = 0;        // nothing of the ledger waits to be discarded
  std::uint32_t actual_pages = 0;
  std::uint32_t poison = 0;

  // The operator's again, in a word that was 0 before there was this.
  std::uint32_t automatic = 0;  // kSaid, with or without the others; or nothing was said
  std::array<RingRecord, kRings> ring{};

  // Later still. Of a share target_pages is what it came to last.
  std::uint32_t target_share = 0;  // in millionths; 0: it is none
  std::uint32_t target_forced = 0;
  std::uint32_t actual_unknown = 0;  // the guest's: actual_pages says nothing
};
static_assert(sizeof(Header) <= kHeaderBytes);
static_assert(alignof(Header) == 8);

}  // namespace vballoon::vm
