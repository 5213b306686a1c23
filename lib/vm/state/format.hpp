// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/format.hpp - the bytes of a device's state file: this header, then a bit a page. Of a
//                       device 13 there follow the marks of its larger pages, and the pages that
//                       are leaving, each from a page of the file on.
// In host byte order, because a file is used on its host only, and in the same boot.
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

/// One region of guest memory, and the identity of its file.
struct RegionRecord {
  std::uint64_t gpa = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const RegionRecord&, const RegionRecord&) = default;
};

/// Written once, before the file gets its name.
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

  // The operator's wishes.
  std::uint32_t target_set = 0;
  std::uint32_t target_pages = 0;
  std::uint32_t inhibited = 0;

  // Of the guest. These have a meaning only while `served` is set.
  std::uint32_t served = 0;
  std::uint64_t features = 0;
  std::uint64_t features_check = 0;  // ~features
  std::uint32_t complete = 0;        // no page of the ledger waits to be discarded
  std::uint32_t actual_pages = 0;
  std::uint32_t poison = 0;

  // The operator's word on `automatic`. Earlier daemons wrote 0 here.
  std::uint32_t automatic = 0;  // kSaid, with or without the other bits; 0: no word
  std::array<RingRecord, kRings> ring{};

  // Added later still. For a share, target_pages is the size that the share last came to.
  std::uint32_t target_share = 0;  // in millionths; 0: the target is no share
  std::uint32_t target_forced = 0;
  std::uint32_t actual_unknown = 0;  // of the guest: actual_pages has no meaning

  // Of a device 13, written before the file gets its name: the sizes of its pages, as in its
  // configuration. 0: it is the stock device.
  std::uint32_t page_sizes = 0;
  std::uint32_t serial = 0;  // of the newest target that its driver was told
};
static_assert(sizeof(Header) <= kHeaderBytes);
static_assert(alignof(Header) == 8);

}  // namespace vballoon::vm
