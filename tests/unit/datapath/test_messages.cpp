// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_messages.cpp - the message queue: what a guest says, and buffers that
//                                       say nothing, or far too much.
// Source: "virtio-balloon: add pressure notification via a new virtqueue".
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/packed_ring.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;
using Words = std::vector<std::uint32_t>;

constexpr std::uint32_t kPressure = 1;

class Messages : public testing::Test {
 protected:
  Messages() { f_.start(Role::kMessage); }

  /// Little-endian words in guest memory, a place of its own for each head.
  test::Piece words(std::uint16_t head, const Words& all) {
    return f_.put_pfns(Gpa{DeviceFixture::buffers(Role::kMessage).value + head * 16 * kKiB}, all);
  }
  /// Sends one buffer, which must come back at once, with its call and with nothing written.
  void send(std::uint16_t head, const std::vector<test::Piece>& pieces) {
    f_.ring(Role::kMessage).send(head, pieces);
    f_.poll_until_idle();
    EXPECT_EQ(f_.ring(Role::kMessage).collect(), Heads{head});
    EXPECT_EQ(f_.take_calls(Role::kMessage), 1U);
    EXPECT_EQ(f_.ring(Role::kMessage).used_slot(slot_++ % 64).len, 0U);
  }
  void expect(std::uint64_t pressure, std::uint64_t unknown, std::uint64_t truncated = 0) {
    EXPECT_EQ(f_.counters().pressure_messages.get(), pressure);
    EXPECT_EQ(f_.counters().unknown_messages.get(), unknown);
    EXPECT_EQ(f_.counters().messages_truncated.get(), truncated);
    EXPECT_TRUE(f_.discarder().calls.empty());
    EXPECT_EQ(f_.counters().ballooned_pages.get(), 0U);
  }

  DeviceFixture f_;
  unsigned slot_ = 0;
};

TEST_F(Messages, PressureIsCounted) {
  send(0, {words(0, {kPressure})});
  expect(1, 0);
  send(1, {words(1, {kPressure})});
  send(0, {words(0, {kPressure, kPressure, kPressure})});
  expect(5, 0);
}

TEST_F(Messages, UnknownOnesAreCountedAndDoNoHarm) {
  send(0, {words(0, {0, 2, kPressure, 0x01000000, UINT32_MAX})});
  expect(1, 4);
}

TEST_F(Messages, MayBeCutIntoDescriptorsAnyhow) {
  const test::Piece whole = words(0, {kPressure, 7});
  const auto part = [&](std::uint32_t from, std::uint32_t bytes) {
    return test::Piece{Gpa{whole.gpa.value + from}, bytes, false};
  };
  send(0, {part(0, 0), part(0, 1), part(1, 0), part(1, 5), part(6, 2)});
  expect(1, 1);
  EXPECT_EQ(f_.counters().odd_bytes.get(), 0U);
}

TEST_F(Messages, BuffersThatMakeNoWholeOneSayNothing) {
  test::Piece piece = words(0, {kPressure, kPressure});
  piece.bytes = 0;
  send(0, {piece});
  expect(0, 0);
  piece.bytes = 3;
  send(0, {piece});
  expect(0, 0);
  EXPECT_EQ(f_.counters().odd_bytes.get(), 3U);
  piece.bytes = 5;
  send(0, {piece});
  expect(1, 0);
  EXPECT_EQ(f_.counters().odd_bytes.get(), 4U);
}

TEST_F(Messages, WhatTheDeviceWouldWriteIsNotRead) {
  test::Piece back = words(0, {kPressure});
  back.device_writes = true;
  send(0, {back});
  expect(0, 0);
  EXPECT_EQ(f_.counters().wrong_direction.get(), 1U);
  send(0, {back, words(1, {kPressure})});
  expect(1, 0);
  EXPECT_EQ(f_.ram().get<std::uint32_t>(back.gpa), kPressure) << "nor written";
}

TEST_F(Messages, ABufferOutsideMemoryIsABadChain) {
  // 2^32 - 1 bytes end beyond the guest's memory.
  send(0, {{DeviceFixture::buffers(Role::kMessage), UINT32_MAX, false}});
  send(1, {{Gpa{80 * kMiB}, 4, false}});
  expect(0, 0);
  EXPECT_EQ(f_.counters().bad_chains.get(), 2U);
}

TEST_F(Messages, OfAHugeBufferOnlyTheBeginningIsHeard) {
  // The memory behind the hole: zeroes, each an unknown message.
  const auto all = static_cast<std::uint32_t>(DeviceFixture::kHighBytes);
  send(0, {{Gpa{DeviceFixture::kHighFirst}, all, false}});
  expect(0, 1024, 1);
  send(0, {{Gpa{DeviceFixture::kHighFirst}, 4096, false}});
  expect(0, 2048, 1);
  send(0, {{Gpa{DeviceFixture::kHighFirst}, 4096 + 3, false}});
  expect(0, 3072, 1);
  EXPECT_EQ(f_.counters().odd_bytes.get(), 3U);
  send(0, {{Gpa{DeviceFixture::kHighFirst}, 4096 + 4, false}});
  expect(0, 4096, 2);
}

TEST_F(Messages, AnOddBeginningDoesNotStretchTheBound) {
  const Gpa first{DeviceFixture::kHighFirst};
  send(0, {{first, 3, false}, {first, 4093, false}, {first, 3, false}});
  expect(0, 1024, 0);
  send(0, {{first, 3, false}, {first, 4096, false}, {first, 4096, false}});
  expect(0, 2048, 1);
  send(0, {{first, 4, false}, {first, 4096, false}});
  expect(0, 3072, 2);
}

TEST_F(Messages, APassHearsNotMuchMoreThanOneFullBuffer) {
  const test::Piece full{Gpa{DeviceFixture::kHighFirst}, 4096, false};
  for (std::uint16_t head = 0; head < 32; ++head) f_.ring(Role::kMessage).send(head, {full});
  unsigned passes = 0;
  while (f_.path().poll()) ++passes;
  EXPECT_GE(passes, 32U);
  EXPECT_EQ(f_.ring(Role::kMessage).collect().size(), 32U);
  expect(0, 32 * 1024);
}

TEST_F(Messages, IndirectTablesAreFollowed) {
  const Gpa table{DeviceFixture::buffers(Role::kMessage).value + kMiB};
  f_.ring(Role::kMessage).send_indirect(3, table, {words(0, {kPressure}), words(1, {9})});
  f_.poll_until_idle();
  EXPECT_EQ(f_.ring(Role::kMessage).collect(), Heads{3});
  expect(1, 1);
  // A table of half a descriptor.
  f_.ring(Role::kMessage).set_descriptor(4, {table.value, 8, wire::kDescIndirect, 0});
  f_.ring(Role::kMessage).offer(4);
  f_.poll_until_idle();
  EXPECT_EQ(f_.ring(Role::kMessage).collect(), Heads{4});
  expect(1, 1);
  EXPECT_EQ(f_.counters().bad_chains.get(), 1U);
}

TEST_F(Messages, CountsGoOnThroughAPause) {
  send(0, {words(0, {kPressure})});
  ASSERT_TRUE(f_.path().quiesce());
  const std::uint16_t position = f_.path().stop(Role::kMessage);
  EXPECT_EQ(position, 1U);
  f_.start(Role::kMessage, position, true);
  send(1, {words(1, {kPressure})});
  expect(2, 0);
}

TEST_F(Messages, WakeALcoreThatOnlyWatches) {
  std::array<Watch, DataPath::kWatches> watches;
  f_.path().watch(watches);
  const auto changed = [&watches] {
    unsigned count = 0;
    for (const Watch& watch : watches) count += watch.changed() ? 1U : 0U;
    return count;
  };
  EXPECT_EQ(changed(), 0U);
  f_.ring(Role::kMessage).send(0, {words(0, {kPressure})});
  EXPECT_EQ(changed(), 1U);
}

TEST_F(Messages, AllRingsOfSuchADeviceAreWatched) {
  for (const Role role : {Role::kInflate, Role::kDeflate, Role::kStats}) f_.start(role);
  std::array<Watch, DataPath::kWatches> watches;
  for (const Role role : {Role::kInflate, Role::kDeflate, Role::kStats, Role::kMessage}) {
    f_.path().watch(watches);
    f_.ring(role).offer(0);
    unsigned changed = 0;
    for (const Watch& watch : watches) changed += watch.changed() ? 1U : 0U;
    EXPECT_EQ(changed, 1U) << wire::role_name(role);
    f_.poll_until_idle();
  }
}

TEST(PackedMessages, AreHeardToo) {
  DeviceFixture f;
  test::PackedRing ring(f.ram(), Gpa{40 * kMiB}, 16);
  const std::uint16_t begin = ring.position();
  ASSERT_TRUE(f.path()
                  .start(Role::kMessage, {.index = 3, .areas = ring.areas(), .position = begin})
                  .has_value());
  const test::Piece said = f.put_pfns(Gpa{42 * kMiB}, {kPressure, kPressure, 4});
  ring.send(5, {said});
  ring.send_indirect(6, Gpa{43 * kMiB}, {said, said});
  f.poll_until_idle();
  EXPECT_EQ(ring.collect(), (Heads{5, 6}));
  EXPECT_EQ(f.counters().pressure_messages.get(), 6U);
  EXPECT_EQ(f.counters().unknown_messages.get(), 3U);
}

}  // namespace
}  // namespace vballoon::datapath
