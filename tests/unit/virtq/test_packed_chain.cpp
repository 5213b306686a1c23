// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_packed_chain.cpp - the buffers of a chain in a packed ring, and in a table.
// Source: VIRTIO 1.2, 2.8.6, 2.8.7, 2.8.21. Does not prove that the device refuses indirect
//         descriptors from a driver that did not acknowledge INDIRECT_DESC.
#include <gtest/gtest.h>

#include "packed_fixture.hpp"

namespace vballoon::virtq {
namespace {

constexpr Gpa kPackedTable{kBuffers.value + 64 * kKiB};
constexpr std::uint32_t kPackedEntry = sizeof(wire::PackedDescriptor);
constexpr wire::PackedDescriptor kPlain{kBuffers.value, 4, 0, 0};

wire::PackedDescriptor table_at(Gpa at, std::uint32_t bytes, std::uint16_t more_flags = 0) {
  return {at.value, bytes, 0, static_cast<std::uint16_t>(wire::kDescIndirect | more_flags)};
}

void fill_table(PackedFixture& f, Gpa table, unsigned count, std::uint16_t flags = 0) {
  for (unsigned i = 0; i < count; ++i) {
    f.ring().set_indirect(table, i, {kBuffers.value + i, 1, static_cast<std::uint16_t>(i), flags});
  }
}

// 2.8.6: addr, len and WRITE of each descriptor, in ring order, across the ring's end.
TEST(PackedChain, YieldsEveryDescriptorInRingOrder) {
  PackedFixture f(5, 3);
  f.ring().send(
      1, {{kBuffers, 100, false}, {Gpa{kBuffers.value + 4096}, 7, true}, {kBorder, 1, false}});
  const auto heads = f.pop(1);
  ASSERT_EQ(heads.size(), 1U);
  const auto walked = f.walk(heads[0]);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 3U);
  EXPECT_EQ(walked.segments[0].range, (GpaRange{kBuffers, 100}));
  EXPECT_FALSE(walked.segments[0].device_writes);
  EXPECT_EQ(walked.segments[1].range, (GpaRange{Gpa{kBuffers.value + 4096}, 7}));
  EXPECT_TRUE(walked.segments[1].device_writes);
  EXPECT_EQ(walked.segments[2].range, (GpaRange{kBorder, 1}));
}

TEST(PackedChain, UnknownFlagsAreIgnored) {
  PackedFixture f(4);
  const auto walked = f.walk_chain({{kBuffers.value, 16, 0, 0x7f78}});
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 1U);
  EXPECT_FALSE(walked.segments[0].device_writes);
}

TEST(PackedChain, EveryByteMustBeGuestMemory) {
  PackedFixture f(4);
  const auto fault_of = [&f](std::uint64_t addr, std::uint32_t len) {
    return f.walk_chain({{addr, len, 0, 0}}).fault;
  };
  EXPECT_EQ(fault_of(kEnd.value - 16, 16), ChainFault::kNone);
  EXPECT_EQ(fault_of(kEnd.value - 16, 17), ChainFault::kOutsideMemory);
  EXPECT_EQ(fault_of(kBuffers.value - 1, 2), ChainFault::kOutsideMemory);
  EXPECT_EQ(fault_of(8 * kMiB, 16), ChainFault::kOutsideMemory) << "in the hole";
  EXPECT_EQ(fault_of(4 * kMiB - 4, UINT32_MAX), ChainFault::kOutsideMemory);
  EXPECT_EQ(fault_of(UINT64_MAX - 3, 4), ChainFault::kOutsideMemory);
}

// What was found when the chain was popped counts; a driver that cuts or lengthens it later changes
// how long it walks no more.
TEST(PackedChain, ItsLengthIsSettledWhenItIsPopped) {
  PackedFixture f(8);
  f.ring().send(1, {{kBuffers, 4, false}, {kBuffers, 8, false}});
  const auto heads = f.pop(1);
  ASSERT_EQ(heads.size(), 1U);
  f.ring().set_flags(0, wire::kPackedAvail);
  f.ring().set_flags(1, wire::kPackedAvail | wire::kDescNext);
  f.ring().set(2, {kEnd.value, UINT32_MAX, 7, wire::kPackedAvail | wire::kDescNext});
  const auto walked = f.walk(heads[0]);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  EXPECT_EQ(walked.segments.size(), 2U);
}

// 2.8.7: the entries of a table follow each other; only WRITE means anything in them, and ids none.
TEST(PackedIndirect, EntriesFollowEachOtherWhateverTheirOtherFlags) {
  for (const std::uint16_t flags :
       {std::uint16_t{0}, wire::kDescNext, wire::kDescIndirect, wire::kPackedUsed,
        static_cast<std::uint16_t>(0xffff & ~wire::kDescWrite)}) {
    PackedFixture f(8);
    fill_table(f, kPackedTable, 3, flags);
    f.ring().set_indirect(
        kPackedTable, 1,
        {kBuffers.value + 1, 1, 0, static_cast<std::uint16_t>(flags | wire::kDescWrite)});
    const auto walked = f.walk_chain({table_at(kPackedTable, 3 * kPackedEntry)});
    EXPECT_EQ(walked.fault, ChainFault::kNone) << flags;
    ASSERT_EQ(walked.segments.size(), 3U) << flags;
    for (unsigned i = 0; i < 3; ++i) {
      EXPECT_EQ(walked.segments[i].range, (GpaRange{Gpa{kBuffers.value + i}, 1}));
      EXPECT_EQ(walked.segments[i].device_writes, i == 1);
    }
  }
}

// 2.8.7: WRITE on the descriptor that names the table is ignored.
TEST(PackedIndirect, WriteOnTheTableItselfIsIgnored) {
  PackedFixture f(8);
  fill_table(f, kPackedTable, 1);
  const auto walked = f.walk_chain({table_at(kPackedTable, kPackedEntry, wire::kDescWrite)});
  ASSERT_EQ(walked.segments.size(), 1U);
  EXPECT_FALSE(walked.segments[0].device_writes);
}

// 2.8.21: no table in a chain of several descriptors, wherever in it.
TEST(PackedIndirect, ATableInAChainIsAFault) {
  PackedFixture f(8);
  fill_table(f, kPackedTable, 1);
  const wire::PackedDescriptor table = table_at(kPackedTable, kPackedEntry);
  EXPECT_EQ(f.walk_chain({table, kPlain}).fault, ChainFault::kIndirectAndNext);
  EXPECT_EQ(f.walk_chain({kPlain, table}).fault, ChainFault::kIndirectAndNext);
  EXPECT_EQ(f.walk_chain({kPlain, table, kPlain}).fault, ChainFault::kIndirectAndNext);
  EXPECT_EQ(f.walk_chain({table}).fault, ChainFault::kNone);
}

TEST(PackedIndirect, ATableOfABadLengthOrPlaceIsAFault) {
  PackedFixture f(8);
  fill_table(f, kPackedTable, 5);
  for (const std::uint32_t len : {0U, 1U, 15U, 17U, 63U, 65U, UINT32_MAX}) {
    const auto walked = f.walk_chain({table_at(kPackedTable, len)});
    EXPECT_EQ(walked.fault, ChainFault::kBadIndirectTable) << len;
    EXPECT_TRUE(walked.segments.empty()) << len;
  }
  for (const std::uint64_t addr :
       {kEnd.value, kEnd.value - kPackedEntry, 8 * kMiB, UINT64_MAX - 15, UINT64_MAX - 31}) {
    EXPECT_EQ(f.walk_chain({table_at(Gpa{addr}, 2 * kPackedEntry)}).fault,
              ChainFault::kBadIndirectTable)
        << std::hex << addr;
  }
}

// 2.8.20: a table is no longer than the ring, and may be as long.
TEST(PackedIndirect, ATableIsAsLongAsTheRingAtMost) {
  for (const unsigned size : {1U, 2U, 100U, 1024U}) {
    PackedFixture f(size);
    fill_table(f, kPackedTable, size + 1);
    const auto longest = f.walk_chain({table_at(kPackedTable, size * kPackedEntry)});
    EXPECT_EQ(longest.fault, ChainFault::kNone) << size;
    EXPECT_EQ(longest.segments.size(), size);
    const auto longer = f.walk_chain({table_at(kPackedTable, (size + 1) * kPackedEntry)});
    EXPECT_EQ(longer.fault, ChainFault::kTooLong) << size;
    EXPECT_EQ(longer.segments.size(), size);
  }
}

TEST(PackedIndirect, ATableMayCrossRegions) {
  PackedFixture f(8);
  const Gpa table{kBorder.value - kPackedEntry};
  fill_table(f, table, 2);
  const auto walked = f.walk_chain({table_at(table, 2 * kPackedEntry)});
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  EXPECT_EQ(walked.segments.size(), 2U);
}

// The table's place and length are read once: what the driver makes of the descriptor later is not
// followed.
TEST(PackedIndirect, TheDescriptorOfTheTableIsReadOnce) {
  PackedFixture f(8);
  fill_table(f, kPackedTable, 3);
  f.ring().add(1, {table_at(kPackedTable, 3 * kPackedEntry)});
  const auto heads = f.pop(1);
  ChainWalk walk(f.queue(), f.memory(), heads.at(0));
  Segment segment;
  ASSERT_TRUE(walk.next(&segment));
  f.ring().set(0, {kEnd.value, UINT32_MAX, 0, 0});
  ASSERT_TRUE(walk.next(&segment));
  ASSERT_TRUE(walk.next(&segment));
  EXPECT_FALSE(walk.next(&segment));
  EXPECT_EQ(walk.fault(), ChainFault::kNone);
}

}  // namespace
}  // namespace vballoon::virtq
