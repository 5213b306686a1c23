// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_hints.cpp - free page hints: rounds, counted and never discarded.
// Source: VIRTIO 1.2, 5.5.6.5.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/device_fixture.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;
using wire::HintAction;

class Hints : public testing::Test {
 protected:
  /// A command id in guest memory, a place of its own for each head.
  test::Piece command(std::uint16_t head, std::uint32_t id, std::uint32_t bytes = 4) {
    const Gpa at{DeviceFixture::buffers(Role::kHint).value + head * std::uint64_t{64}};
    f_.ram().put(at, id);
    return {at, bytes, false};
  }
  static test::Piece pages(std::uint64_t first, std::uint64_t count) {
    return {to_gpa(Pfn{DeviceFixture::page(first)}),
            static_cast<std::uint32_t>(pages_to_bytes(count)), true};
  }
  void send(std::uint16_t head, const std::vector<test::Piece>& pieces) {
    f_.ring(Role::kHint).send(head, pieces);
    f_.poll_until_idle();
  }
  void say(std::uint32_t id) { send(0, {command(0, id)}); }
  std::uint32_t start() { return f_.config().command_hints(wire::HintAction::kStart); }

  void expect(std::uint64_t good, std::uint64_t stale, std::uint64_t bad) {
    EXPECT_EQ(f_.counters().hint_pages.get(), good);
    EXPECT_EQ(f_.counters().stale_hints.get(), stale);
    EXPECT_EQ(f_.counters().bad_hint_commands.get(), bad);
    EXPECT_TRUE(f_.discarder().calls.empty()) << "never discarded";
    EXPECT_EQ(f_.counters().ballooned_pages.get(), 0U);
  }

  DeviceFixture f_;
};

TEST_F(Hints, OfOneRoundAreCountedAndReturned) {
  f_.start(Role::kHint);
  say(start());
  EXPECT_EQ(f_.path().hints().going.get(), 1U);
  send(1, {pages(0, 1024)});
  send(2, {pages(2048, 512), pages(4096, 512)});
  say(wire::kHintStop);
  EXPECT_EQ(f_.ring(Role::kHint).collect(), (Heads{0, 1, 2, 0}));
  EXPECT_EQ(f_.path().hints().id.get(), f_.config().hint_command());
  EXPECT_EQ(f_.path().hints().going.get(), 0U) << "the driver has no more";
  EXPECT_EQ(f_.path().hints().pages.get(), 2048U);
  expect(2048, 0, 0);
}

TEST_F(Hints, OfNoRoundAreIgnored) {
  f_.start(Role::kHint);
  send(1, {pages(0, 10)});
  expect(0, 10, 0);
  const std::uint32_t round = start();
  send(1, {pages(0, 10)});
  expect(0, 20, 0);
  say(round + 1);
  send(1, {pages(0, 10)});
  expect(0, 30, 0);
  say(round);
  send(1, {pages(0, 10)});
  expect(10, 30, 0);
  // Nor is one who says the next round's id before there is such a round in that round.
  say(round + 1);
  ASSERT_EQ(start(), round + 1);
  send(1, {pages(0, 10)});
  expect(10, 40, 0);
}

// "The device MUST ignore pages that are provided with a command ID that does not match."
TEST_F(Hints, OfAnOldRoundAreIgnored) {
  f_.start(Role::kHint);
  const std::uint32_t first = start();
  say(first);
  send(1, {pages(0, 10)});
  const std::uint32_t second = start();
  send(1, {pages(0, 10)});
  say(first);
  send(1, {pages(0, 10)});
  expect(10, 20, 0);
  EXPECT_EQ(f_.path().hints().id.get(), first);
  say(second);
  send(1, {pages(0, 3)});
  expect(13, 20, 0);
  EXPECT_EQ(f_.path().hints().pages.get(), 3U) << "of the newest round";
}

TEST_F(Hints, EndWhenTheDeviceSaysSo) {
  for (const wire::HintAction action : {wire::HintAction::kStop, wire::HintAction::kDone}) {
    DeviceFixture f;
    f.start(Role::kHint);
    const std::uint32_t round = f.config().command_hints(wire::HintAction::kStart);
    f.ram().put(DeviceFixture::buffers(Role::kHint), round);
    f.ring(Role::kHint).send(0, {{DeviceFixture::buffers(Role::kHint), 4, false}, pages(0, 1)});
    f.poll_until_idle();
    static_cast<void>(f.config().command_hints(action));
    f.ring(Role::kHint).send(0, {pages(0, 1)});
    f.poll_until_idle();
    EXPECT_EQ(f.counters().hint_pages.get(), 1U);
    EXPECT_EQ(f.counters().stale_hints.get(), 1U);
  }
}

TEST_F(Hints, ACommandMayBeCutIntoDescriptorsAnyhow) {
  f_.start(Role::kHint);
  const test::Piece whole = command(0, start());
  const test::Piece none{whole.gpa, 0, false};
  const test::Piece head{whole.gpa, 1, false};
  const test::Piece tail{Gpa{whole.gpa.value + 1}, 3, false};
  send(0, {none, head, none, tail, pages(0, 2)});
  expect(2, 0, 0);
}

TEST_F(Hints, WhatIsNoCommandEndsTheRound) {
  f_.start(Role::kHint);
  const std::uint32_t round = start();
  unsigned bad = 0;
  for (const std::uint32_t bytes : {1U, 3U, 5U, 4096U}) {
    say(round);
    send(1, {command(1, round, bytes), pages(0, 1)});
    ++bad;
    expect(0, bad, bad);
  }
  say(round);
  say(wire::kHintDone);
  send(1, {pages(0, 1)});
  expect(0, bad + 1, bad + 1);
}

// Two of the same round: one driver says it twice, and goes on.
TEST_F(Hints, ARoundSaidTwiceGoesOn) {
  f_.start(Role::kHint);
  const std::uint32_t round = start();
  say(round);
  send(1, {pages(0, 4)});
  say(round);
  send(1, {pages(0, 4)});
  EXPECT_EQ(f_.path().hints().pages.get(), 8U);
}

TEST_F(Hints, ARoundOutlivesAPauseButNotTheDriver) {
  f_.start(Role::kHint);
  say(start());
  f_.start(Role::kHint, f_.path().stop(Role::kHint), true);
  send(1, {pages(0, 4)});
  expect(4, 0, 0);
  const std::uint16_t position = f_.path().stop(Role::kHint);
  f_.start(Role::kHint, position, false);
  send(1, {pages(0, 4)});
  expect(4, 4, 0);
}

TEST(HintShare, ManyBuffersTakeMorePasses) {
  DeviceFixture f(256);
  f.start(Role::kHint);
  for (std::uint16_t head = 0; head < 200; ++head) {
    f.ring(Role::kHint).send(head, {{to_gpa(Pfn{DeviceFixture::page(head)}), kPageSize, true}});
  }
  EXPECT_TRUE(f.path().poll());
  EXPECT_EQ(f.ring(Role::kHint).collect().size(), kBuffersPerPass);
  f.poll_until_idle();
  EXPECT_EQ(f.ring(Role::kHint).collect().size(), 200 - kBuffersPerPass);
}

}  // namespace
}  // namespace vballoon::datapath
