// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/wire/test_stats.cpp - the guest's statistics, as far as they make sense.
// Source: VIRTIO 1.2, 5.5.6.3 and 5.5.6.4. Does not prove that any value is true: they are a
//         guest's claims.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "wire/large_balloon.hpp"
#include "wire/node_stats.hpp"
#include "wire/stats.hpp"

namespace vballoon::wire {
namespace {

/// le16 tag, le64 value, packed.
void append(std::vector<std::byte>& to, std::uint16_t tag, std::uint64_t value) {
  const std::size_t at = to.size();
  to.resize(at + kStatEntryBytes);
  std::memcpy(to.data() + at, &tag, sizeof(tag));
  std::memcpy(to.data() + at + sizeof(tag), &value, sizeof(value));
}

TEST(Stats, AnEmptyBufferSaysNothing) {
  const StatsSample sample = decode_stats({});
  EXPECT_EQ(sample.present, 0U);
  EXPECT_EQ(sample.unknown_tags, 0U);
  EXPECT_EQ(sample.get(StatTag::kFree), std::nullopt);
}

TEST(Stats, EveryKnownTagHasItsPlace) {
  std::vector<std::byte> bytes;
  for (std::uint16_t tag = 0; tag < kKnownStats; ++tag) {
    append(bytes, tag, 0x0102030405060708ULL + tag);
  }
  const StatsSample sample = decode_stats(bytes);
  for (std::uint16_t tag = 0; tag < kKnownStats; ++tag) {
    EXPECT_EQ(sample.get(static_cast<StatTag>(tag)), 0x0102030405060708ULL + tag);
  }
  EXPECT_EQ(sample.present, 0xffffU);
  EXPECT_EQ(sample.unknown_tags, 0U);
}

TEST(Stats, BytesAreLittleEndianAndPacked) {
  const std::vector<std::byte> bytes{std::byte{4},    std::byte{0},  // VIRTIO_BALLOON_S_MEMFREE
                                     std::byte{0x10}, std::byte{0x20}, std::byte{0}, std::byte{0},
                                     std::byte{0},    std::byte{0},    std::byte{0}, std::byte{1}};
  EXPECT_EQ(decode_stats(bytes).get(StatTag::kFree), 0x0100000000002010ULL);
}

TEST(Stats, ZeroIsAValueAndNotAbsence) {
  std::vector<std::byte> bytes;
  append(bytes, 0, 0);
  const StatsSample sample = decode_stats(bytes);
  EXPECT_EQ(sample.get(StatTag::kSwapIn), 0U);
  EXPECT_EQ(sample.get(StatTag::kSwapOut), std::nullopt);
}

// 5.5.6.3: a device ignores tags it does not know; the operator may know them.
TEST(Stats, UnknownTagsAreKeptByNumber) {
  std::vector<std::byte> bytes;
  append(bytes, 16, 1);
  append(bytes, 5, 2048);
  append(bytes, 0xffff, 2);
  append(bytes, 0x8000, 3);
  const StatsSample sample = decode_stats(bytes);
  EXPECT_EQ(sample.unknown_tags, 3U);
  EXPECT_EQ(sample.present, 1U << 5);
  EXPECT_EQ(sample.get(StatTag::kTotal), 2048U);
  ASSERT_EQ(sample.unknown_count, 3U);
  EXPECT_EQ(sample.unknown[0].tag, 16U);
  EXPECT_EQ(sample.unknown[1].tag, 0xffffU);
  EXPECT_EQ(sample.unknown[1].value, 2U);
  EXPECT_EQ(sample.unknown[2].value, 3U);
  EXPECT_EQ(sample.left_out, 0U);
}

TEST(Stats, AFloodOfUnknownTagsIsBounded) {
  std::vector<std::byte> bytes;
  for (std::uint16_t tag = 100; tag < 2000; ++tag) append(bytes, tag, tag);
  for (std::uint16_t tag = 100; tag < 110; ++tag) append(bytes, tag, 1);
  const StatsSample sample = decode_stats(bytes);
  EXPECT_EQ(sample.unknown_tags, 1910U);
  EXPECT_EQ(sample.unknown_count, kUnknownKept);
  EXPECT_EQ(sample.left_out, 1900U - kUnknownKept);
  EXPECT_EQ(sample.unknown[0].value, 1U) << "of duplicates the last counts";
  EXPECT_EQ(sample.unknown[kUnknownKept - 1].value, 100U + kUnknownKept - 1);
}

TEST(Stats, OfDuplicatesTheLastCounts) {
  std::vector<std::byte> bytes;
  append(bytes, 4, 1);
  append(bytes, 5, 7);
  append(bytes, 4, 2);
  const StatsSample sample = decode_stats(bytes);
  EXPECT_EQ(sample.get(StatTag::kFree), 2U);
  EXPECT_EQ(sample.get(StatTag::kTotal), 7U);
}

TEST(Stats, APartOfAnEntryIsIgnored) {
  for (std::size_t cut = 1; cut < kStatEntryBytes; ++cut) {
    std::vector<std::byte> bytes;
    append(bytes, 4, 99);
    append(bytes, 5, 77);
    bytes.resize(bytes.size() - cut);
    const StatsSample sample = decode_stats(bytes);
    EXPECT_EQ(sample.get(StatTag::kFree), 99U);
    EXPECT_EQ(sample.get(StatTag::kTotal), std::nullopt) << cut;
    EXPECT_EQ(sample.unknown_tags, 0U);
  }
}

TEST(Stats, NoiseIsDecodedWithoutHarm) {
  std::mt19937 random(5);
  for (int round = 0; round < 1000; ++round) {
    std::vector<std::byte> bytes(random() % 400);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % (round % 2 ? 256 : 18));
    const StatsSample sample = decode_stats(bytes);
    EXPECT_LE(sample.unknown_tags, bytes.size() / kStatEntryBytes);
    EXPECT_EQ(sample.present >> kKnownStats, 0U);
  }
}

TEST(Stats, NamesAreDifferentAndEndInTheirUnit) {
  std::set<std::string_view> names;
  for (std::uint16_t tag = 0; tag < kKnownStats; ++tag) {
    names.insert(stat_name(static_cast<StatTag>(tag)));
  }
  EXPECT_EQ(names.size(), kKnownStats);
  for (const StatTag tag :
       {StatTag::kSwapIn, StatTag::kSwapOut, StatTag::kFree, StatTag::kTotal, StatTag::kAvailable,
        StatTag::kDiskCaches, StatTag::kAsyncScan, StatTag::kDirectScan, StatTag::kAsyncReclaim,
        StatTag::kDirectReclaim}) {
    EXPECT_TRUE(stat_name(tag).ends_with("_bytes")) << stat_name(tag);
  }
}

StatsSample sample_of(std::initializer_list<std::pair<StatTag, std::uint64_t>> values) {
  std::vector<std::byte> bytes;
  for (const auto& [tag, value] : values) append(bytes, static_cast<std::uint16_t>(tag), value);
  return decode_stats(bytes);
}

bool is_nonsense(const StatsSample& sample, StatTag tag) {
  const bool nonsense = ((sample.nonsense >> static_cast<unsigned>(tag)) & 1) != 0;
  EXPECT_NE(nonsense, sample.get(tag).has_value()) << stat_name(tag) << ": one or the other";
  return nonsense;
}

/// virtio-win #1323: -1 for what is available, and -4096 for what was swapped in.
TEST(Nonsense, ANegativeFigureIsUnknown) {
  for (unsigned tag = 0; tag < kKnownStats; ++tag) {
    const auto stat = static_cast<StatTag>(tag);
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{-4096}, INT64_MIN}) {
      StatsSample sample = sample_of({{stat, static_cast<std::uint64_t>(value)}});
      drop_nonsense(0, &sample);
      EXPECT_TRUE(is_nonsense(sample, stat));
    }
  }
}

TEST(Nonsense, WhatCanBeStays) {
  StatsSample sample = sample_of({{StatTag::kTotal, 960},
                                  {StatTag::kFree, 960},
                                  {StatTag::kAvailable, 0},
                                  {StatTag::kDiskCaches, 1},
                                  {StatTag::kSwapIn, INT64_MAX}});
  const std::uint32_t present = sample.present;
  drop_nonsense(1000, &sample);
  EXPECT_EQ(sample.present, present);
  EXPECT_EQ(sample.nonsense, 0U);
  drop_nonsense(0, &sample);
  EXPECT_EQ(sample.present, present) << "of a guest of which nothing is known";
}

TEST(Nonsense, NoPartIsLargerThanTheWhole) {
  for (const StatTag part : {StatTag::kFree, StatTag::kAvailable, StatTag::kDiskCaches}) {
    StatsSample sample = sample_of({{StatTag::kTotal, 960}, {part, 961}});
    drop_nonsense(1000, &sample);
    EXPECT_TRUE(is_nonsense(sample, part));
    EXPECT_EQ(sample.get(StatTag::kTotal), 960U);
    StatsSample without = sample_of({{part, 1001}});
    drop_nonsense(1000, &without);
    EXPECT_TRUE(is_nonsense(without, part)) << "nor larger than its VMM's table";
  }
}

TEST(Nonsense, AGuestHasSomeMemoryAndNoMoreThanItsVmmShows) {
  for (const std::uint64_t total : {std::uint64_t{0}, std::uint64_t{1001}, UINT64_MAX}) {
    StatsSample sample = sample_of({{StatTag::kTotal, total}, {StatTag::kAvailable, 900}});
    drop_nonsense(1000, &sample);
    EXPECT_TRUE(is_nonsense(sample, StatTag::kTotal)) << total;
    EXPECT_EQ(sample.get(StatTag::kAvailable), 900U) << "of that nobody knows better";
  }
}

TEST(NodeStats, ManyNodesAreCountedAndTheFirstOnesKept) {
  NodeSample sample;
  for (std::uint32_t node = 0; node < 20; ++node) {
    sample.set(19 - node, large::kFreeLargeTag, node);
    sample.set(19 - node, 4, 2 * node);
  }
  EXPECT_EQ(sample.count, NodeSample::kMost);
  EXPECT_EQ(sample.left_out, 2 * (20 - NodeSample::kMost));
  for (std::uint32_t i = 0; i < sample.count; ++i) {
    EXPECT_EQ(sample.nodes[i].node, 19 - i);
    EXPECT_EQ(sample.nodes[i].get(NodeStat::kFreeLarge), i);
    EXPECT_EQ(sample.nodes[i].get(NodeStat::kFree), 2 * i);
  }
}

TEST(NodeStats, WhatNoNodeHasAndWhatCannotBeIsPassedOver) {
  NodeSample sample;
  sample.set(0, 10, 1);
  sample.set(0, 999, 1);
  EXPECT_EQ(sample.count, 0U);
  sample.set(0, 5, UINT64_MAX);
  EXPECT_EQ(sample.count, 1U);
  EXPECT_EQ(sample.nodes[0].present, 0U);
  EXPECT_FALSE(sample.set_guest(4, 1)) << "is in the other sample";
  EXPECT_FALSE(sample.set_guest(999, 1));
  EXPECT_TRUE(sample.set_guest(large::kBalloonTag, 1));
  EXPECT_EQ(sample.guest.get(NodeStat::kBalloon), 1U);
}

}  // namespace
}  // namespace vballoon::wire
