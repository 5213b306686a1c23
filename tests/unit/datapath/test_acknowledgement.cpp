// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_acknowledgement.cpp - when a buffer may be used: early, late, or held.
// Source: section 4 of the design; VIRTIO 1.2, 5.5.6.2.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>

#include "acknowledgement.hpp"

namespace vballoon::datapath {
namespace {

TEST_F(Acknowledgement, EarlyAnInflateBufferIsUsedBeforeItsDiscard) {
  early();
  inflate(3, 0, 256);
  EXPECT_TRUE(f_->path().poll());
  EXPECT_EQ(used(Role::kInflate), (Heads{3}));
  EXPECT_EQ(f_->take_calls(Role::kInflate), 1U);
  EXPECT_TRUE(discarded().empty());
  EXPECT_EQ(sink_.waiting(), 1U) << "on its way";
  EXPECT_EQ(f_->counters().ballooned_pages.get(), 256U);
  finish();
  EXPECT_EQ(discarded(), in_file(0, 256));
}

TEST_F(Acknowledgement, EarlyItIsUsedWhileItsPagesWaitForNeighbours) {
  early(kNever);
  inflate(0, 0, 256);
  poll();
  EXPECT_EQ(used(Role::kInflate), (Heads{0}));
  EXPECT_EQ(sink_.waiting(), 0U);
  EXPECT_EQ(f_->reclaimed().gathered_pages.get(), 256U);
  inflate(1, 256, 256);
  poll();
  EXPECT_EQ(used(Role::kInflate), (Heads{1}));
  ASSERT_EQ(sink_.waiting(), 1U) << "the block is complete";
  finish();
  EXPECT_EQ(sink_.discarder.calls.size(), 1U);
  EXPECT_EQ(discarded(), in_file(0, 512));
}

TEST_F(Acknowledgement, LateAnInflateBufferIsUsedAfterItsDiscardOnly) {
  late();
  inflate(3, 0, 256);
  poll();
  ASSERT_EQ(sink_.waiting(), 1U);
  EXPECT_TRUE(used(Role::kInflate).empty());
  EXPECT_EQ(f_->take_calls(Role::kInflate), 0U);
  sink_.step();
  EXPECT_TRUE(used(Role::kInflate).empty()) << "nothing is published outside a pass";
  EXPECT_TRUE(f_->path().restless());
  EXPECT_TRUE(f_->path().poll()) << "though nothing is on its way any more";
  EXPECT_EQ(used(Role::kInflate), (Heads{3}));
  EXPECT_FALSE(f_->path().restless());
}

// The driver sleeps until its buffer comes back: its pages do not wait for neighbours.
TEST_F(Acknowledgement, LateNothingWaitsInTheWindow) {
  late(kNever);
  inflate(0, 5, 1);
  poll();
  ASSERT_EQ(sink_.waiting(), 1U);
  finish();
  EXPECT_EQ(used(Role::kInflate), (Heads{0}));
  EXPECT_EQ(discarded(), in_file(5, 1));
}

TEST_F(Acknowledgement, LateEachBufferWaitsForItsOwnPagesAndNotForLaterOnes) {
  late();
  inflate(0, 0, 10);
  poll();
  inflate(1, 100, 10);
  poll();
  ASSERT_EQ(sink_.waiting(), 2U);
  sink_.step();
  poll();
  EXPECT_EQ(used(Role::kInflate), (Heads{0}));
  sink_.step();
  poll();
  EXPECT_EQ(used(Role::kInflate), (Heads{1}));
}

TEST_F(Acknowledgement, ADeflateIsHeldUntilAllThatWasHandedOverIsDone) {
  early();
  inflate(0, 0, 256);
  inflate(1, 1000, 8);
  poll();
  ASSERT_EQ(sink_.waiting(), 1U);
  inflate(2, 2000, 8);
  poll();
  ASSERT_EQ(sink_.waiting(), 2U);
  deflate(7, 10, 1);
  poll();
  EXPECT_EQ(f_->counters().ballooned_pages.get(), 271U) << "it has left the balloon";
  EXPECT_TRUE(used(Role::kDeflate).empty());
  sink_.step();
  poll();
  EXPECT_TRUE(used(Role::kDeflate).empty()) << "the second batch may hold it for all one knows";
  inflate(3, 3000, 8);
  poll();
  sink_.step();
  EXPECT_EQ(sink_.waiting(), 1U) << "what came after the deflate is none of its business";
  poll();
  EXPECT_EQ(used(Role::kDeflate), (Heads{7}));
  EXPECT_EQ(f_->take_calls(Role::kDeflate), 1U);
}

TEST_F(Acknowledgement, ADeflateOfWhatStillWaitsIsUsedAtOnceAndSavesThePages) {
  early(kNever);
  inflate(0, 0, 100);
  poll();
  deflate(1, 40, 20);
  EXPECT_TRUE(f_->path().poll());
  EXPECT_EQ(used(Role::kDeflate), (Heads{1}));
  inflate(1, 100, 412);
  poll();
  EXPECT_EQ(sink_.waiting(), 0U) << "a block with a gap is not complete";
  reclaim::InlineSink here(sink_.discarder);
  f_->path().discard_gathered(here);
  auto wanted = in_file(0, 40);
  wanted.merge(in_file(60, 452));
  EXPECT_EQ(discarded(), wanted);
}

// As compaction does it: a page in, another out, again and again.
TEST_F(Acknowledgement, OnePagePairsNeverLoseAPage) {
  early();
  std::set<std::uint64_t> in_balloon;
  sink_.discarder.on_call = [&](const test::DiscardCall& call) {
    ASSERT_EQ(call.bytes, kPageSize);
    ASSERT_TRUE(in_balloon.contains(call.offset / kPageSize));
  };
  for (std::uint16_t i = 0; i < 300; ++i) {
    const std::uint64_t page = 2 * i;
    in_balloon.insert(*in_file(page, 1).begin());
    inflate(i % 64, page, 1);
    poll(1);
    if (i >= 3) {
      deflate(i % 64, page - 6, 1);
      poll(1);
    }
    if (i % 3 == 0) sink_.step_all();
    poll(1);
    for (const std::uint32_t head : used(Role::kDeflate)) {
      // Head i gave page 2 i - 6 back. It is the guest's from here on.
      const std::uint64_t sent = i - (static_cast<std::uint32_t>(i) - head) % 64;
      in_balloon.erase(*in_file(2 * sent - 6, 1).begin());
    }
  }
  finish();
}

TEST_F(Acknowledgement, HeldBuffersComeBackInTheirOrder) {
  early();
  inflate(0, 0, 8);
  poll();
  for (std::uint16_t head = 10; head < 20; ++head) deflate(head, head, 1);
  poll();
  EXPECT_TRUE(used(Role::kDeflate).empty());
  finish();
  EXPECT_EQ(used(Role::kDeflate), (Heads{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
}

TEST_F(Acknowledgement, AReportIsHeldUntilItIsDiscarded) {
  for (const bool tells : {true, false}) {
    begin(tells, kNever);
    sink_.discarder.calls.clear();
    f_->ring(Role::kReport).send(4, {free_pages(0, 512)});
    poll();
    ASSERT_EQ(sink_.waiting(), 1U);
    EXPECT_TRUE(used(Role::kReport).empty());
    sink_.step();
    poll();
    EXPECT_EQ(used(Role::kReport), (Heads{4}));
    EXPECT_EQ(discarded(), in_file(0, 512));
  }
}

// Linux reports every two seconds: what waits for neighbours must not be swept out each time.
TEST_F(Acknowledgement, AReportLeavesTheWindowAlone) {
  early(kNever);
  inflate(0, 0, 100);
  poll();
  f_->ring(Role::kReport).send(4, {free_pages(1000, 5)});
  finish();
  EXPECT_EQ(used(Role::kReport), (Heads{4}));
  EXPECT_EQ(discarded(), in_file(1000, 5));
  EXPECT_EQ(f_->reclaimed().gathered_pages.get(), 100U);
}

// Nor does it wait for a guest that inflates faster than its pages go.
TEST_F(Acknowledgement, AReportIsNotHeldByInflatesThatGoOn) {
  early();
  f_->ring(Role::kReport).send(4, {free_pages(60'000, 5)});
  for (std::uint64_t i = 0; i < 40; ++i) {
    std::vector<std::uint32_t> fragments;
    for (std::uint64_t n = 0; n < 500; ++n)
      fragments.push_back(DeviceFixture::page(1000 * i + 2 * n));
    f_->send_pfns(Role::kInflate, static_cast<std::uint16_t>(i), fragments);
    poll(1);
    if (sink_.waiting() != 0) sink_.step();
  }
  EXPECT_GT(f_->reclaimed().gathered_pages.get(), 10'000U) << "the window did not get empty";
  EXPECT_EQ(used(Role::kReport), (Heads{4}));
  finish();
}

// Early, a deflate and a report behind a full way: both are held, neither is lost.
TEST_F(Acknowledgement, AFullWayHoldsThemAndLosesNone) {
  early();
  sink_.way_is_full = true;
  inflate(0, 0, 8);
  deflate(1, 2, 1);
  f_->ring(Role::kReport).send(2, {free_pages(1000, 4)});
  poll();
  EXPECT_EQ(used(Role::kInflate), (Heads{0}));
  deflate(5, 3, 1);
  poll();
  EXPECT_TRUE(used(Role::kReport).empty());
  EXPECT_GT(f_->reclaimed().sink_full.get(), 0U);
  sink_.way_is_full = false;
  finish();
  EXPECT_EQ(used(Role::kDeflate), (Heads{1, 5}));
  EXPECT_EQ(used(Role::kReport), (Heads{2}));
}

}  // namespace
}  // namespace vballoon::datapath
