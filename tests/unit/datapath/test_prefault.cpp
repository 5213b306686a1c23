// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_prefault.cpp - memory is there before the guest gets its pages back.
// Source: sections 4 and 6 of the design.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/device_fixture.hpp"
#include "support/step_sink.hpp"

namespace vballoon::datapath {
namespace {

using Heads = std::vector<std::uint32_t>;

class PrefaultTest : public testing::Test {
 protected:
  PrefaultTest() {
    f_.driver_tells();
    f_.path().set_sink(sink_);
    f_.start(Role::kInflate);
    f_.start(Role::kDeflate);
    f_.path().prefault(true);
  }
  void in_balloon(const std::vector<std::uint32_t>& pages) {
    f_.send_pfns(Role::kInflate, 0, pages);
    while (f_.path().poll()) sink_.step_all();
    ASSERT_EQ(f_.ring(Role::kInflate).collect(), (Heads{0}));
  }
  /// Polls with nobody carrying anything out.
  void pass() { static_cast<void>(f_.path().poll()); }

  test::StepSink sink_;
  DeviceFixture f_{64, reclaim::ReclaimLimits{{0, 0}, 0}};
};

TEST_F(PrefaultTest, ABufferIsUsedOnceItsPagesAreThereAgain) {
  in_balloon(pages_from(512, 256));
  f_.send_pfns(Role::kDeflate, 5, pages_from(512, 256));
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).used_idx(), 0U);
  ASSERT_EQ(sink_.waiting(), 1U);
  sink_.step();
  ASSERT_EQ(sink_.discarder.provided.size(), 1U);
  EXPECT_EQ(sink_.discarder.provided[0].offset,
            pages_to_bytes(DeviceFixture::file_page(DeviceFixture::page(512))));
  EXPECT_EQ(sink_.discarder.provided[0].bytes, pages_to_bytes(256));
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{5}));
  EXPECT_EQ(f_.reclaimed().prefaulted.bytes.get(), pages_to_bytes(256));
}

TEST_F(PrefaultTest, WhatWasNotInTheBalloonIsLeftAlone) {
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 8));
  pass();
  EXPECT_EQ(sink_.waiting(), 0U);
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
}

/// A guest gives away what it never touched: nobody had it, and nobody is to get it for that.
TEST_F(PrefaultTest, WhatNobodyHadIsNotMade) {
  sink_.discarder.sparse = true;
  in_balloon(pages_from(0, 256));
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 256));
  pass();
  EXPECT_EQ(sink_.waiting(), 0U);
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  EXPECT_TRUE(sink_.discarder.provided.empty());
}

/// The first half comes back without a touch, and is given away once more with the second.
TEST_F(PrefaultTest, NoMoreIsFetchedThanWasThere) {
  f_.path().prefault(false);
  in_balloon(pages_from(0, 128));
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 128));
  pass();
  ASSERT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  f_.path().prefault(true);
  in_balloon(pages_from(0, 256));
  f_.send_pfns(Role::kDeflate, 2, pages_from(0, 256));
  pass();
  sink_.step_all();
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{2}));
  ASSERT_EQ(sink_.discarder.provided.size(), 1U);
  EXPECT_EQ(sink_.discarder.provided[0].bytes, pages_to_bytes(128));
}

/// Nothing was there where it fetched, so as much may be fetched elsewhere.
TEST_F(PrefaultTest, WhatWasThereAllTheSameIsStillOwed) {
  in_balloon(pages_from(0, 256));
  // By the guest, which uses what it has given away.
  ASSERT_TRUE(sink_.discarder.provide(
      f_.ram().fd(), pages_to_bytes(DeviceFixture::file_page(DeviceFixture::page(0))),
      pages_to_bytes(128), nullptr));
  for (const std::uint16_t head : {std::uint16_t{1}, std::uint16_t{2}}) {
    f_.send_pfns(Role::kDeflate, head, pages_from(head == 1 ? 0U : 128U, 128));
    pass();
    sink_.step_all();
    pass();
  }
  ASSERT_EQ(sink_.discarder.provided.size(), 3U);
  EXPECT_EQ(sink_.discarder.provided[2].bytes, pages_to_bytes(128));
}

TEST_F(PrefaultTest, ANewGuestIsOwedNothing) {
  in_balloon(pages_from(0, 256));
  f_.path().empty_balloon();
  sink_.discarder.sparse = true;
  in_balloon(pages_from(0, 256));
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 256));
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  EXPECT_TRUE(sink_.discarder.provided.empty());
}

/// What was under way when the buffer came may have been there; what comes later was not in it.
TEST_F(PrefaultTest, AGuestThatGoesOnInflatingDoesNotWaitForEver) {
  sink_.discarder.sparse = true;
  in_balloon(pages_from(0, 256));
  f_.send_pfns(Role::kInflate, 0, pages_from(1024, 64));
  pass();
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 256));
  for (std::uint64_t turn = 1; turn <= 5; ++turn) {
    f_.send_pfns(Role::kInflate, static_cast<std::uint16_t>(turn + 1),
                 pages_from(1024 + 1024 * turn, 64));
    pass();
    ASSERT_GE(sink_.waiting(), 2U) << "there is always a discard under way";
    sink_.step();
  }
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  EXPECT_TRUE(sink_.discarder.provided.empty());
}

TEST_F(PrefaultTest, AnInflateBufferNeedNotWaitForIt) {
  in_balloon(pages_from(0, 16));
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 16));
  f_.send_pfns(Role::kInflate, 2, pages_from(600, 16));
  pass();
  EXPECT_EQ(f_.ring(Role::kInflate).collect(), (Heads{2}));
  EXPECT_EQ(f_.ring(Role::kDeflate).used_idx(), 0U);
}

TEST_F(PrefaultTest, WithoutMemoryTheBufferIsReturnedAllTheSame) {
  in_balloon(pages_from(0, 16));
  sink_.discarder.refuse = [](const test::DiscardCall&) { return true; };
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 16));
  pass();
  sink_.step_all();
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  EXPECT_EQ(f_.reclaimed().failed_prefaults.get(), 1U);
  EXPECT_EQ(f_.reclaimed().failed_calls.get(), 0U);
}

// Every second page, so that nothing merges: far more runs than wait at once.
TEST_F(PrefaultTest, ManyFragmentsAreFetchedInTurnsAndNoneIsForgotten) {
  std::vector<std::uint32_t> pages;
  for (std::uint64_t i = 0; i < 8 * 256; ++i) pages.push_back(DeviceFixture::page(2 * i));
  in_balloon(pages);
  for (std::uint16_t head = 0; head < 8; ++head) {
    const auto first = pages.begin() + head * 256;
    f_.send_pfns(Role::kDeflate, head, std::vector<std::uint32_t>(first, first + 256));
  }
  Heads back;
  for (int passes = 0; passes < 10'000 && back.size() < 8; ++passes) {
    pass();
    for (const std::uint32_t head : f_.ring(Role::kDeflate).collect()) {
      back.push_back(head);
      ASSERT_GE(sink_.discarder.provided.size(), back.size() * 256) << "used too early";
    }
    if (sink_.waiting() != 0) sink_.step();
  }
  EXPECT_EQ(back, (Heads{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(sink_.discarder.provided.size(), pages.size());
  EXPECT_TRUE(sink_.all_back());
}

TEST_F(PrefaultTest, WhileADiscardIsUnderWayTheFetchComesAfterIt) {
  f_.send_pfns(Role::kInflate, 0, pages_from(512, 512));
  pass();
  ASSERT_EQ(sink_.waiting(), 1U) << "discarded after it was acknowledged";
  f_.send_pfns(Role::kDeflate, 1, pages_from(512, 512));
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).used_idx(), 0U);
  sink_.step();
  EXPECT_EQ(sink_.discarder.calls.size(), 1U);
  EXPECT_TRUE(sink_.discarder.provided.empty());
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).used_idx(), 0U);
  sink_.step_all();
  EXPECT_EQ(sink_.discarder.provided.size(), 1U);
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
}

TEST_F(PrefaultTest, QuiesceEndsWithNothingOnItsWay) {
  in_balloon(pages_from(0, 300));
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 300));
  pass();
  EXPECT_FALSE(f_.path().quiesce());
  sink_.step_all();
  EXPECT_TRUE(f_.path().quiesce());
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
}

/// No pass runs between the wish and the buffer.
TEST_F(PrefaultTest, OnOrOffItCountsFromTheNextBufferOn) {
  in_balloon(pages_from(0, 32));
  f_.path().prefault(false);
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 16));
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  f_.path().prefault(true);
  f_.send_pfns(Role::kDeflate, 2, pages_from(16, 16));
  pass();
  EXPECT_EQ(sink_.waiting(), 1U);
}

TEST_F(PrefaultTest, OffItCostsNothing) {
  f_.path().prefault(false);
  in_balloon(pages_from(0, 16));
  f_.send_pfns(Role::kDeflate, 1, pages_from(0, 16));
  pass();
  EXPECT_EQ(f_.ring(Role::kDeflate).collect(), (Heads{1}));
  EXPECT_TRUE(sink_.discarder.provided.empty());
}

}  // namespace
}  // namespace vballoon::datapath
