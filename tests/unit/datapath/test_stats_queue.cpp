// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_stats_queue.cpp - the driver's one statistics buffer, held and given
//                                            back.
// Source: VIRTIO 1.2, 5.5.6.3. Does not prove how old a sample is: the age is read off a clock, and
//         shown.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "support/device_fixture.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;
using wire::StatTag;

class StatsTest : public testing::Test {
 protected:
  /// One entry: free memory.
  test::Piece put_free(std::uint16_t head, std::uint64_t bytes) {
    const Gpa at{DeviceFixture::buffers(Role::kStats).value + head * kPageSize};
    f_.ram().put(at, std::uint16_t{4});
    f_.ram().put(Gpa{at.value + 2}, bytes);
    return {at, 10};
  }
  void send_free(std::uint16_t head, std::uint64_t bytes) {
    f_.ring(Role::kStats).send(head, {put_free(head, bytes)});
  }
  [[nodiscard]] Heads collect() { return f_.ring(Role::kStats).collect(); }
  [[nodiscard]] std::optional<std::uint64_t> newest_free() {
    return f_.path().stats().newest().sample.get(StatTag::kFree);
  }
  [[nodiscard]] std::uint64_t sequence() { return f_.path().stats().sequence(); }

  DeviceFixture f_;
};

TEST_F(StatsTest, BeforeAnySampleThereIsNone) {
  f_.start(Role::kStats);
  EXPECT_FALSE(f_.path().poll());
  EXPECT_EQ(sequence(), 0U);
  EXPECT_EQ(newest_free(), std::nullopt);
}

TEST_F(StatsTest, TheBufferIsReadAndHeld) {
  f_.start(Role::kStats);
  send_free(2, 1000);
  EXPECT_TRUE(f_.path().poll());
  EXPECT_EQ(newest_free(), 1000U);
  EXPECT_EQ(sequence(), 1U);
  EXPECT_EQ(f_.counters().stats_samples.get(), 1U);
  EXPECT_TRUE(collect().empty());
  EXPECT_FALSE(f_.path().poll()) << "a held buffer is no work";
  EXPECT_EQ(f_.take_calls(Role::kStats), 0U);
}

TEST_F(StatsTest, ASampleIsLoneAndABufferOfPagesIsNot) {
  f_.start(Role::kInflate);
  f_.start(Role::kStats);
  send_free(2, 1000);
  ASSERT_TRUE(f_.path().poll());
  EXPECT_TRUE(f_.path().lone());
  f_.send_pfns(Role::kInflate, 0, {DeviceFixture::page(100)});
  ASSERT_TRUE(f_.path().poll());
  EXPECT_FALSE(f_.path().lone());
}

TEST_F(StatsTest, ASampleBesideABufferOfPagesIsNotLone) {
  f_.start(Role::kInflate);
  f_.start(Role::kStats);
  f_.send_pfns(Role::kInflate, 0, {DeviceFixture::page(100)});
  send_free(2, 1000);
  ASSERT_TRUE(f_.path().poll());
  EXPECT_FALSE(f_.path().lone());
}

TEST_F(StatsTest, TheBalloonOfThatMomentIsNoted) {
  f_.start(Role::kInflate);
  f_.start(Role::kStats);
  const auto inflate = [this](std::uint16_t head, std::uint32_t page) {
    f_.send_pfns(Role::kInflate, head, {DeviceFixture::page(page)});
    f_.poll_until_idle();
  };
  inflate(0, 100);
  inflate(1, 101);
  send_free(2, 1000);
  f_.poll_until_idle();
  EXPECT_EQ(f_.path().stats().newest().ballooned_pages, 2U);
  inflate(3, 102);
  EXPECT_EQ(f_.path().stats().newest().ballooned_pages, 2U) << "of the sample, not of now";
}

TEST_F(StatsTest, ARequestReturnsItAndTheNextOneIsFresh) {
  f_.start(Role::kStats);
  send_free(2, 1000);
  f_.poll_until_idle();
  f_.path().request_stats();
  EXPECT_TRUE(f_.path().poll());
  EXPECT_EQ(collect(), (Heads{2}));
  EXPECT_EQ(f_.take_calls(Role::kStats), 1U);
  EXPECT_EQ(sequence(), 1U) << "returning is asking, the answer is the next buffer";
  send_free(2, 2000);
  f_.poll_until_idle();
  EXPECT_EQ(newest_free(), 2000U);
  EXPECT_EQ(sequence(), 2U);
  EXPECT_TRUE(collect().empty());
}

TEST_F(StatsTest, ManyRequestsAtOnceAreOneQuestion) {
  f_.start(Role::kStats);
  send_free(0, 1);
  f_.poll_until_idle();
  for (int i = 0; i < 5; ++i) f_.path().request_stats();
  f_.poll_until_idle();
  EXPECT_EQ(collect(), (Heads{0}));
  send_free(0, 2);
  f_.poll_until_idle();
  EXPECT_TRUE(collect().empty());
  EXPECT_EQ(sequence(), 2U);
}

TEST_F(StatsTest, ARequestWithoutABufferWaitsForOne) {
  f_.start(Role::kStats);
  f_.path().request_stats();
  EXPECT_FALSE(f_.path().poll()) << "nothing to return yet";
  send_free(1, 5);
  f_.poll_until_idle();
  EXPECT_GE(sequence(), 1U);
  EXPECT_EQ(newest_free(), 5U);
}

TEST_F(StatsTest, OfTwoBuffersTheOlderIsReturned) {
  f_.start(Role::kStats);
  send_free(0, 10);
  send_free(1, 20);
  f_.poll_until_idle();
  EXPECT_EQ(collect(), (Heads{0}));
  EXPECT_EQ(newest_free(), 20U);
  EXPECT_EQ(f_.counters().stats_samples.get(), 2U);
  f_.path().request_stats();
  f_.poll_until_idle();
  EXPECT_EQ(collect(), (Heads{1}));
}

TEST_F(StatsTest, EntriesMayBeCutAcrossDescriptors) {
  f_.start(Role::kStats);
  const test::Piece whole = put_free(0, 0x1122334455667788);
  f_.ring(Role::kStats)
      .send(0, {{whole.gpa, 1}, {Gpa{whole.gpa.value + 1}, 4}, {Gpa{whole.gpa.value + 5}, 5}});
  f_.poll_until_idle();
  EXPECT_EQ(newest_free(), 0x1122334455667788U);
}

TEST_F(StatsTest, AWritableDescriptorIsNotRead) {
  f_.start(Role::kStats);
  test::Piece piece = put_free(0, 77);
  piece.device_writes = true;
  f_.ring(Role::kStats).send(0, {piece});
  f_.poll_until_idle();
  EXPECT_EQ(f_.counters().wrong_direction.get(), 1U);
  EXPECT_EQ(newest_free(), std::nullopt);
  f_.path().request_stats();
  f_.poll_until_idle();
  EXPECT_EQ(collect(), (Heads{0})) << "held and returned like any other";
}

TEST_F(StatsTest, MoreThanAnyDriverSendsIsCutOffAndCounted) {
  f_.start(Role::kStats);
  const test::Piece first = put_free(0, 42);
  f_.ring(Role::kStats).send(0, {first, {Gpa{first.gpa.value + 64}, 1 << 20}});
  f_.poll_until_idle();
  EXPECT_EQ(newest_free(), 42U);
  EXPECT_EQ(f_.counters().stats_truncated.get(), 1U);
}

TEST_F(StatsTest, ABadChainIsCountedAndHeld) {
  f_.start(Role::kStats);
  f_.ring(Role::kStats).send(0, {{Gpa{UINT64_MAX - 100}, 50}});
  f_.poll_until_idle();
  EXPECT_EQ(f_.counters().bad_chains.get(), 1U);
  f_.path().request_stats();
  f_.poll_until_idle();
  EXPECT_EQ(collect(), (Heads{0}));
}

// 2.7: a ring may be stopped and started while its buffer is held; it comes again.
TEST_F(StatsTest, AHeldBufferComesAgainAfterAPauseAndCountsOnce) {
  f_.start(Role::kStats);
  send_free(0, 1);
  f_.poll_until_idle();
  f_.path().request_stats();
  f_.poll_until_idle();
  send_free(0, 2);
  f_.poll_until_idle();
  ASSERT_EQ(sequence(), 2U);
  const std::uint16_t position = f_.path().stop(Role::kStats);
  EXPECT_EQ(position, 1U) << "the held buffer was not returned";
  f_.start(Role::kStats, position, true);
  f_.poll_until_idle();
  EXPECT_EQ(sequence(), 2U) << "seen before the pause: nothing new";
  EXPECT_EQ(collect(), (Heads{0}));
  f_.path().request_stats();
  f_.poll_until_idle();
  EXPECT_EQ(collect(), (Heads{0})) << "held again, and returned when asked";
  send_free(0, 3);
  f_.poll_until_idle();
  EXPECT_EQ(sequence(), 3U);
  EXPECT_EQ(newest_free(), 3U);
}

TEST_F(StatsTest, ANewDriversFirstBufferIsASample) {
  f_.start(Role::kStats);
  send_free(0, 1);
  f_.poll_until_idle();
  static_cast<void>(f_.path().stop(Role::kStats));
  f_.path().forget_stats();
  EXPECT_EQ(sequence(), 0U);
  EXPECT_EQ(newest_free(), std::nullopt);
  f_.ring(Role::kStats).begin_at(0);
  f_.start(Role::kStats);
  send_free(0, 9);
  f_.poll_until_idle();
  EXPECT_EQ(sequence(), 1U);
  EXPECT_EQ(newest_free(), 9U);
}

}  // namespace
}  // namespace vballoon::datapath
