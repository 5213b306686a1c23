// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_large_pages.cpp - pages of device 13 come and go by its clauses.
// Source: docs/device-13.md, 7.1, 7.2, 7.4; DEV-6 to DEV-20.
#include "large_fixture.hpp"

namespace vballoon::datapath {
namespace {

using wire::large::Header;
using wire::large::MessageType;

using LargePages = LargeTest;

TEST_F(LargePages, AnAddedPageIsDiscardedWhole) {
  add(0, kHuge, {page(3)});
  pass();
  EXPECT_EQ(collect(), (Used{{0, 0}})) << "DEV-7: before it is discarded";
  EXPECT_TRUE(sink_.discarder.calls.empty());
  settle();
  ASSERT_EQ(sink_.discarder.calls.size(), 1U);
  EXPECT_EQ(sink_.discarder.calls[0].offset, DeviceFixture::kHighInFile + 3 * 2 * kMiB);
  EXPECT_EQ(sink_.discarder.calls[0].bytes, 2 * kMiB);
  EXPECT_EQ(ballooned(), 2 * kMiB);
}

TEST_F(LargePages, PagesComeBackAsTheyWereAdded) {
  add(0, kHuge, {page(1), page(5)});
  add(1, kSmall, {page(7, kSmall), page(9, kSmall)});
  settle();
  EXPECT_EQ(collect().size(), 2U);
  withdraw(2, kSmall, 8);
  withdraw(4, kHuge, 8);
  settle();
  ASSERT_EQ(collect(), (Used{{2, 16}, {4, 16}}));
  EXPECT_EQ(handed_back(2, 16), (Addresses{page(7, kSmall), page(9, kSmall)}));
  EXPECT_EQ(handed_back(4, 16), (Addresses{page(1), page(5)}));
  EXPECT_EQ(ballooned(), 0U);
}

TEST_F(LargePages, AShiftOfZeroMeansTheSmallestSize) {
  add(0, 0, {page(4, kSmall)});
  withdraw(1, kSmall, 1);
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 8}}));
  EXPECT_EQ(handed_back(1, 8), (Addresses{page(4, kSmall)}));
}

TEST_F(LargePages, NoPageComesBackBeforeItsDiscardIsComplete) {
  add(0, kHuge, {page(1)});
  pass();
  ASSERT_EQ(sink_.waiting(), 1U);
  withdraw(1, kHuge, 1);
  pass();
  EXPECT_EQ(collect(), (Used{{0, 0}})) << "DEV-8";
  sink_.step();
  pass();
  EXPECT_EQ(collect(), (Used{{1, 8}}));
}

class LargePagesGathered : public LargeTest {
 protected:
  LargePagesGathered() : LargeTest(kConfig, kNever) {}
};

/// Pages of 4 KiB wait for their neighbours.
TEST_F(LargePagesGathered, WhatIsNotDiscardedYetComesBackFirst) {
  add(0, kSmall, {page(0, kSmall)});
  pass();
  f_.path().discard_gathered(sink_);
  settle();
  ASSERT_EQ(sink_.discarder.calls.size(), 1U);
  add(1, kSmall, {page(7, kSmall), page(9, kSmall)});
  withdraw(2, kSmall, 2);
  withdraw(4, kSmall, 2);
  settle();
  ASSERT_EQ(collect(), (Used{{0, 0}, {1, 0}, {2, 16}, {4, 8}}));
  EXPECT_EQ(handed_back(2, 16), (Addresses{page(7, kSmall), page(9, kSmall)})) << "DEV-13";
  EXPECT_EQ(handed_back(4, 8), (Addresses{page(0, kSmall)}));
  EXPECT_EQ(sink_.discarder.calls.size(), 1U) << "they never were";
}

TEST_F(LargePagesGathered, EachPageIsInAnAnswerOnce) {
  add(0, kSmall, {page(1, kSmall), page(3, kSmall)});
  withdraw(1, kSmall, 8);
  settle();
  ASSERT_EQ(collect(), (Used{{0, 0}, {1, 16}}));
  EXPECT_EQ(handed_back(1, 16), (Addresses{page(1, kSmall), page(3, kSmall)}));
}

TEST_F(LargePages, AnEmptyBalloonIsAnAnswer) {
  withdraw(0, kHuge, 4);
  add(2, kSmall, {page(0, kSmall)});
  withdraw(3, kHuge, 4);
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {2, 0}, {3, 0}}));
  EXPECT_EQ(counters().withheld.get(), 2U);
}

TEST_F(LargePages, NoMoreComesBackThanThereIsRoomForOrThanThereIs) {
  add(0, kHuge, {page(0), page(1), page(2)});
  send(1, message(pages_of(kHuge)), 2 * 8 + 7);
  withdraw(3, kHuge, 8);
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 16}, {3, 8}}));
  EXPECT_EQ(ballooned(), 0U);
}

TEST_F(LargePages, AnAnswerIsCutIntoDescriptorsAsTheDriverLikes) {
  add(0, kHuge, {page(0), page(1)});
  settle();
  const Bytes header = message(pages_of(kHuge));
  std::memcpy(f_.ram().at(place(1)), header.data(), header.size());
  const Gpa at = answer_place(1);
  f_.ring(Role::kToDevice)
      .send(1, {{place(1), 3, false},
                {Gpa{place(1).value + 3}, 5, false},
                {at, 5, true},
                {Gpa{at.value + 5}, 0, true},
                {Gpa{at.value + 5}, 11, true}});
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 16}}));
  EXPECT_EQ(handed_back(1, 16), (Addresses{page(0), page(1)}));
}

TEST_F(LargePages, WhatCannotBeAPageIsSkippedAndTheOthersAreTaken) {
  add(0, kHuge, {page(1) + kPageSize, page(2)});
  add(1, kHuge, {DeviceFixture::kLowBytes, UINT64_MAX & ~(2 * kMiB - 1), page(3)});
  add(2, kHuge, {page(2), page(4), page(4)});
  add(3, kSmall, {page(4) + 5 * kPageSize});
  add(4, kSmall, {page(6) + 5 * kPageSize});
  add(5, kHuge, {page(6)});
  settle();
  EXPECT_EQ(collect().size(), 6U);
  EXPECT_EQ(counters().unaligned.get(), 1U);
  EXPECT_EQ(counters().outside_memory.get(), 2U);
  EXPECT_EQ(counters().already_ballooned.get(), 4U);
  EXPECT_EQ(ballooned(), 3 * 2 * kMiB + kPageSize);
}

TEST_F(LargePages, SizesThatAreNotOfferedAreSkipped) {
  add(0, 13, {page(0), page(1)});
  add(1, 30, {0});
  withdraw(2, 30, 1);
  release(4, 255, {page(0)});
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 0}, {2, 0}, {4, 8}}));
  EXPECT_EQ(released(4), 1U) << "DEV-19: it is not in the balloon";
  EXPECT_EQ(counters().sizes_not_offered.get(), 3U);
  EXPECT_EQ(ballooned(), 0U);
}

TEST_F(LargePages, WithoutTheBitAllPagesAreOneUnit) {
  negotiate(kAllFeatures & ~1U);
  add(0, kHuge, {page(0)});
  add(1, 0, {page(0)});
  settle();
  EXPECT_EQ(counters().sizes_not_offered.get(), 1U);
  EXPECT_EQ(ballooned(), kPageSize);
}

TEST_F(LargePages, TheDevicesOwnRingsAreNoPages) {
  const std::uint64_t ring = static_cast<std::uint64_t>(Role::kToDevice) * 2 * kMiB;
  const std::uint64_t other = static_cast<std::uint64_t>(Role::kFromDevice) * 2 * kMiB;
  add(0, kHuge, {ring, other});
  add(1, kSmall, {ring, ring + kPageSize, ring + 2 * kPageSize, ring + 3 * kPageSize});
  settle();
  EXPECT_EQ(collect().size(), 2U);
  EXPECT_EQ(counters().in_a_ring.get(), 5U);
  EXPECT_EQ(ballooned(), kPageSize) << "the page behind the ring";
}

TEST_F(LargePages, AddressesBeyondTheMostAndOddBytesAreIgnored) {
  Addresses many;
  for (std::uint64_t i = 0; i < kConfig.max_pages + 3; ++i) many.push_back(page(i));
  Bytes bytes = message(pages_of(kHuge), many);
  bytes.resize(bytes.size() + 5);
  send(0, bytes);
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}}));
  EXPECT_EQ(counters().beyond_max_pages.get(), 3U);
  EXPECT_EQ(ballooned(), kConfig.max_pages * 2 * kMiB);
  withdraw(1, kHuge, 100);
  settle();
  EXPECT_EQ(collect(), (Used{{1, kConfig.max_pages * 8}}));
}

TEST_F(LargePages, AMessageInBothDirectionsHasNoEffect) {
  add(0, kHuge, {page(0)});
  settle();
  send(1, message(pages_of(kHuge), {page(1)}), 8);
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 0}})) << "DEV-18";
  EXPECT_EQ(counters().wrong_direction.get(), 1U);
  EXPECT_EQ(ballooned(), 2 * kMiB);
}

TEST_F(LargePages, MessagesThatAreCutShortComeBackWithoutEffect) {
  for (std::uint32_t length = 0; length < 8; ++length) {
    send(static_cast<std::uint16_t>(2 * length), Bytes(length), 64);
  }
  settle();
  EXPECT_EQ(collect().size(), 8U);
  EXPECT_EQ(counters().short_messages.get(), 8U);
}

TEST_F(LargePages, UnknownTypesComeBackWithoutEffect) {
  add(0, kHuge, {page(0)});
  send(1, message({.type = MessageType{5}}), 64);
  send(3, message({.type = MessageType{255}}, {page(1)}));
  send(4, message(pages_of(kHuge, MessageType::kRelease), {page(0)}));
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 0}, {3, 0}, {4, 0}})) << "DEV-17";
  EXPECT_EQ(counters().unknown_messages.get(), 2U);
  EXPECT_EQ(counters().wrong_direction.get(), 1U) << "a release without room for its count";
  EXPECT_EQ(ballooned(), 2 * kMiB);
}

TEST_F(LargePages, MessagesOfABitThatIsNotNegotiatedAreUnknown) {
  negotiate(1);
  add(0, kHuge, {page(0)});
  release(1, kHuge, {page(0)});
  send(3, message({.type = MessageType::kState}, {1, 2, 3}));
  send(4, message({.type = MessageType::kPressure, .detail = 2}, {0}));
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 0}, {3, 0}, {4, 0}}));
  EXPECT_EQ(counters().unknown_messages.get(), 3U);
  EXPECT_EQ(counters().pressure_messages.get(), 0U);
}

TEST_F(LargePages, NamedPagesComeBackInTheirOrder) {
  add(0, kHuge, {page(0), page(1), page(2)});
  release(1, kHuge, {page(2), page(0)});
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 8}}));
  EXPECT_EQ(released(1), 2U);
  EXPECT_EQ(ballooned(), 2 * kMiB);
  withdraw(3, kHuge, 8);
  settle();
  ASSERT_EQ(collect(), (Used{{3, 8}}));
  EXPECT_EQ(handed_back(3, 8), (Addresses{page(1)}));
}

TEST_F(LargePages, NamedPagesThatAreNotInsideCountAsHandedBack) {
  add(0, kHuge, {page(0)});
  // Not added; twice; as another size; unaligned; no memory.
  release(1, kHuge, {page(1), page(0), page(0)});
  add(3, kHuge, {page(0)});
  release(4, kSmall, {page(0), page(0) + 1, UINT64_MAX});
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 8}, {3, 0}, {4, 8}}));
  EXPECT_EQ(released(1), 3U);
  EXPECT_EQ(released(4), 3U);
  EXPECT_EQ(ballooned(), 2 * kMiB);
  EXPECT_EQ(counters().already_ballooned.get(), 0U) << "it had left";
}

TEST_F(LargePages, APassHasABound) {
  for (std::uint16_t head = 0; head < 60; ++head) {
    Addresses pages;
    for (std::uint64_t i = 0; i < 2; ++i) pages.push_back(page(head * 2U + i));
    add(head, kHuge, pages);
  }
  unsigned passes = 0;
  while (f_.ring(Role::kToDevice).used_idx() != 60 && passes < 10) {
    pass();
    ++passes;
  }
  EXPECT_EQ(passes, 1U) << "as much as a pass of the stock device's largest buffers";
  settle();
}

class LargePagesInAHurry : public LargeTest {
 protected:
  LargePagesInAHurry() : LargeTest(kConfig, {.ages = {0, 0}, .window_pages = 512}) {}
};

TEST_F(LargePagesInAHurry, NoMoreIsTakenThanIsDiscarded) {
  sink_.way_is_full = true;
  for (std::uint16_t head = 0; head < 6; ++head) {
    Addresses pages;
    for (std::uint64_t i = 0; i < kConfig.max_pages; ++i) pages.push_back(page(head * 8U + i));
    add(head, kHuge, pages);
  }
  for (int passes = 0; passes < 20; ++passes) pass();
  const std::uint16_t taken = f_.ring(Role::kToDevice).used_idx();
  EXPECT_GT(taken, 0U);
  EXPECT_LT(taken, 6U) << "DEV-25";
  sink_.way_is_full = false;
  settle();
  EXPECT_EQ(collect().size(), 6U);
  EXPECT_EQ(ballooned(), 48 * 2 * kMiB);
}

}  // namespace
}  // namespace vballoon::datapath
