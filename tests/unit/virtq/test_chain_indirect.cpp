// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/virtq/test_chain_indirect.cpp - chains that go on in an indirect table.
// Source: VIRTIO 1.2, 2.7.5.3. Does not prove that the device refuses indirect descriptors from a
//         driver that did not acknowledge INDIRECT_DESC: it takes them.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <initializer_list>

#include "queue_fixture.hpp"

namespace vballoon::virtq {
namespace {

constexpr Gpa kTable{kBuffers.value + 64 * kKiB};
constexpr std::uint32_t kEntry = sizeof(wire::Descriptor);

/// A chain of `count` one-byte buffers in a table.
void fill_table(QueueFixture& f, Gpa table, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    f.ring().set_indirect(
        table, i,
        {kBuffers.value + i, 1, static_cast<std::uint16_t>(i + 1 == count ? 0 : wire::kDescNext),
         static_cast<std::uint16_t>(i + 1)});
  }
}

// 2.7.5.3: the table's first entry is the chain's next buffer, next counts in the table.
TEST(IndirectChain, YieldsTheTableInItsOwnOrder) {
  QueueFixture f(8);
  f.ring().set_descriptor(6, {kTable.value, 4 * kEntry, wire::kDescIndirect, 0});
  f.ring().set_indirect(kTable, 0, {kBuffers.value, 10, wire::kDescNext, 3});
  f.ring().set_indirect(kTable, 3,
                        {kBuffers.value + 100, 20, wire::kDescNext | wire::kDescWrite, 1});
  f.ring().set_indirect(kTable, 1, {kBuffers.value + 200, 30, 0, 0});
  const auto walked = f.walk(6);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 3U);
  EXPECT_EQ(walked.segments[0].range.bytes, 10U);
  EXPECT_EQ(walked.segments[1].range.bytes, 20U);
  EXPECT_TRUE(walked.segments[1].device_writes);
  EXPECT_EQ(walked.segments[2].range.bytes, 30U);
}

// 2.7.5.3.2: WRITE on the descriptor that names the table is ignored.
TEST(IndirectChain, WriteOnTheTableItselfIsIgnored) {
  QueueFixture f(8);
  f.ring().set_descriptor(0, {kTable.value, kEntry, wire::kDescIndirect | wire::kDescWrite, 0});
  fill_table(f, kTable, 1);
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 1U);
  EXPECT_FALSE(walked.segments[0].device_writes);
}

// 2.7.5.3.1: zero or more descriptors may come before the one that names the table.
TEST(IndirectChain, AChainMayEndInATable) {
  QueueFixture f(8);
  f.ring().set_descriptor(0, {kBuffers.value, 5, wire::kDescNext, 4});
  f.ring().set_descriptor(4, {kBuffers.value, 6, wire::kDescNext, 2});
  f.ring().set_descriptor(2, {kTable.value, 2 * kEntry, wire::kDescIndirect, 0});
  fill_table(f, kTable, 2);
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  EXPECT_EQ(walked.segments.size(), 4U);
}

// 2.7.5.3.1: no INDIRECT together with NEXT.
TEST(IndirectChain, IndirectWithNextIsAFault) {
  QueueFixture f(8);
  f.ring().set_descriptor(0, {kTable.value, kEntry, wire::kDescIndirect | wire::kDescNext, 1});
  f.ring().set_descriptor(1, {kBuffers.value, 4, 0, 0});
  fill_table(f, kTable, 1);
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kIndirectAndNext);
  EXPECT_TRUE(walked.segments.empty());
}

// 2.7.5.3.1: no INDIRECT inside a table, in its first entry or a later one.
TEST(IndirectChain, ATableInATableIsAFault) {
  QueueFixture f(8);
  const Gpa second{kTable.value + kPageSize};
  fill_table(f, second, 1);
  f.ring().set_descriptor(0, {kTable.value, 2 * kEntry, wire::kDescIndirect, 0});
  f.ring().set_indirect(kTable, 0, {second.value, kEntry, wire::kDescIndirect, 0});
  EXPECT_EQ(f.walk(0).fault, ChainFault::kNestedIndirect);
  EXPECT_TRUE(f.walk(0).segments.empty());
  f.ring().set_indirect(kTable, 0, {kBuffers.value, 4, wire::kDescNext, 1});
  f.ring().set_indirect(kTable, 1, {second.value, kEntry, wire::kDescIndirect, 0});
  EXPECT_EQ(f.walk(0).fault, ChainFault::kNestedIndirect);
  EXPECT_EQ(f.walk(0).segments.size(), 1U);
}

// 2.7.5.3: a table has len / 16 entries; a length that is no multiple, or none at all, is no table.
TEST(IndirectChain, ATableOfABadLengthIsAFault) {
  QueueFixture f(8);
  fill_table(f, kTable, 4);
  for (const std::uint32_t len : {0U, 1U, 15U, 17U, 31U, 63U, 65U}) {
    f.ring().set_descriptor(0, {kTable.value, len, wire::kDescIndirect, 0});
    EXPECT_EQ(f.walk(0).fault, ChainFault::kBadIndirectTable) << len;
    EXPECT_TRUE(f.walk(0).segments.empty()) << len;
  }
}

TEST(IndirectChain, ATableOutsideMemoryIsAFault) {
  QueueFixture f(8);
  for (const std::uint64_t addr : {kEnd.value, kEnd.value - kEntry, 8 * kMiB,
                                   kBuffers.value - kEntry, UINT64_MAX - 15, UINT64_MAX - 31}) {
    f.ring().set_descriptor(0, {addr, 2 * kEntry, wire::kDescIndirect, 0});
    EXPECT_EQ(f.walk(0).fault, ChainFault::kBadIndirectTable) << std::hex << addr;
  }
}

TEST(IndirectChain, ATableMayCrossRegionsAndAnEntryToo) {
  QueueFixture f(8);
  // Entry 1 lies with 8 bytes on either side of the border.
  const Gpa table{kBorder.value - kEntry - 8};
  for (unsigned i = 0; i < 3; ++i) {
    const wire::Descriptor entry{kBuffers.value + i, i + 1,
                                 static_cast<std::uint16_t>(i == 2 ? 0 : wire::kDescNext),
                                 static_cast<std::uint16_t>(i + 1)};
    std::array<std::byte, kEntry> bytes;
    std::memcpy(bytes.data(), &entry, kEntry);
    for (unsigned b = 0; b < kEntry; ++b) f.ram().put(Gpa{table.value + i * kEntry + b}, bytes[b]);
  }
  f.ring().set_descriptor(0, {table.value, 3 * kEntry, wire::kDescIndirect, 0});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kNone);
  ASSERT_EQ(walked.segments.size(), 3U);
  EXPECT_EQ(walked.segments[1].range, (GpaRange{Gpa{kBuffers.value + 1}, 2}));
}

TEST(IndirectChain, NextBeyondTheTableIsAFault) {
  QueueFixture f(8);
  f.ring().set_descriptor(0, {kTable.value, 2 * kEntry, wire::kDescIndirect, 0});
  for (const std::uint16_t next : std::initializer_list<std::uint16_t>{2, 7, 65535}) {
    f.ring().set_indirect(kTable, 0, {kBuffers.value, 4, wire::kDescNext, next});
    EXPECT_EQ(f.walk(0).fault, ChainFault::kNextTooBig) << next;
  }
}

TEST(IndirectChain, ALoopInATableEnds) {
  QueueFixture f(8);
  f.ring().set_descriptor(0, {kTable.value, 2 * kEntry, wire::kDescIndirect, 0});
  f.ring().set_indirect(kTable, 0, {kBuffers.value, 4, wire::kDescNext, 1});
  f.ring().set_indirect(kTable, 1, {kBuffers.value, 4, wire::kDescNext, 0});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kTooLong);
  EXPECT_EQ(walked.segments.size(), 8U);
}

// 2.7.5.3.1: a chain in a table is no longer than the queue, and may be as long.
TEST(IndirectChain, TheLongestLegalTableIsTakenWhole) {
  for (const unsigned size : {1U, 2U, 128U, 1024U}) {
    QueueFixture f(size);
    fill_table(f, kTable, size);
    f.ring().set_descriptor(0, {kTable.value, size * kEntry, wire::kDescIndirect, 0});
    const auto walked = f.walk(0);
    EXPECT_EQ(walked.fault, ChainFault::kNone) << size;
    EXPECT_EQ(walked.segments.size(), size);
  }
}

TEST(IndirectChain, AChainLongerThanTheQueueIsAFault) {
  QueueFixture f(8);
  fill_table(f, kTable, 9);
  f.ring().set_descriptor(0, {kTable.value, 9 * kEntry, wire::kDescIndirect, 0});
  const auto walked = f.walk(0);
  EXPECT_EQ(walked.fault, ChainFault::kTooLong);
  EXPECT_EQ(walked.segments.size(), 8U);
}

// The table's place and length are read once: what the driver makes of the descriptor later is not
// followed.
TEST(IndirectChain, TheDescriptorOfTheTableIsReadOnce) {
  QueueFixture f(8);
  fill_table(f, kTable, 3);
  f.ring().set_descriptor(0, {kTable.value, 3 * kEntry, wire::kDescIndirect, 0});
  ChainWalk walk(f.queue(), f.memory(), Head{0});
  Segment segment;
  ASSERT_TRUE(walk.next(&segment));
  f.ring().set_descriptor(0, {kEnd.value, UINT32_MAX, 0, 0});
  ASSERT_TRUE(walk.next(&segment));
  ASSERT_TRUE(walk.next(&segment));
  EXPECT_FALSE(walk.next(&segment));
  EXPECT_EQ(walk.fault(), ChainFault::kNone);
}

}  // namespace
}  // namespace vballoon::virtq
