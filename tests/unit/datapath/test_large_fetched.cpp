// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_large_fetched.cpp - a page of device 13 comes back once its memory is
//                                              there, or not at all.
// Source: docs/device-13.md, DEV-8, DEV-11, DEV-12, DEV-19. Of memory that prefault fetches: huge
//         pages of hugetlbfs take the same way.
#include "large_fixture.hpp"

namespace vballoon::datapath {
namespace {

class LargePagesFetched : public LargeTest {
 protected:
  LargePagesFetched() { f_.path().prefault(true); }
  /// The host has no memory for this page any more.
  void refuse(std::uint64_t address) {
    const std::uint64_t offset = address - DeviceFixture::kHighFirst + DeviceFixture::kHighInFile;
    sink_.discarder.refuse = [this, offset](const test::DiscardCall& call) {
      const bool provides =
          !sink_.discarder.provided.empty() && &call == &sink_.discarder.provided.back();
      return provides && call.offset <= offset && offset < call.offset + call.bytes;
    };
  }
};

TEST_F(LargePagesFetched, APageComesBackOnceItsMemoryIsThere) {
  add(0, kHuge, {page(0), page(1)});
  settle();
  withdraw(1, kHuge, 2);
  pass();
  EXPECT_EQ(collect(), (Used{{0, 0}}));
  ASSERT_EQ(sink_.waiting(), 1U);
  sink_.step();
  ASSERT_EQ(sink_.discarder.provided.size(), 2U);
  EXPECT_EQ(sink_.discarder.provided[0].bytes, 2 * kMiB);
  pass();
  EXPECT_EQ(collect(), (Used{{1, 16}}));
  EXPECT_EQ(f_.reclaimed().prefaulted.bytes.get(), 4 * kMiB);
}

TEST_F(LargePagesFetched, APageWithoutMemoryStaysInTheBalloonAndTheOthersComeBack) {
  add(0, kHuge, {page(0), page(1), page(2)});
  settle();
  refuse(page(1));
  withdraw(1, kHuge, 3);
  settle();
  ASSERT_EQ(collect(), (Used{{0, 0}, {1, 16}}));
  EXPECT_EQ(handed_back(1, 16), (Addresses{page(0), page(2)}));
  EXPECT_EQ(ballooned(), 2 * kMiB);
  EXPECT_EQ(counters().withheld.get(), 1U);
  EXPECT_EQ(counters().withheld_pages.get(), 512U);
  sink_.discarder.refuse = nullptr;
  withdraw(3, kHuge, 3);
  settle();
  ASSERT_EQ(collect(), (Used{{3, 8}}));
  EXPECT_EQ(handed_back(3, 8), (Addresses{page(1)})) << "asked again";
}

TEST_F(LargePagesFetched, AnEmptyPoolIsAnAnswerOfNothing) {
  add(0, kHuge, {page(0)});
  settle();
  refuse(page(0));
  withdraw(1, kHuge, 1);
  release(3, kHuge, {page(0)});
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 0}, {3, 8}}));
  EXPECT_EQ(released(3), 0U);
  EXPECT_EQ(ballooned(), 2 * kMiB);
}

TEST_F(LargePagesFetched, AReleaseStopsAtTheFirstThatHasToStay) {
  add(0, kHuge, {page(0), page(1), page(2)});
  settle();
  refuse(page(1));
  release(1, kHuge, {page(7), page(0), page(1), page(2), page(8)});
  settle();
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 8}}));
  EXPECT_EQ(released(1), 2U);
  EXPECT_EQ(ballooned(), 2 * 2 * kMiB);
}

TEST_F(LargePagesFetched, WhatHasToStayIsDiscardedOnceMore) {
  add(0, kHuge, {page(0)});
  settle();
  refuse(page(0));
  withdraw(1, kHuge, 1);
  settle();
  ASSERT_EQ(sink_.discarder.calls.size(), 2U);
  EXPECT_EQ(sink_.discarder.calls[0].offset, sink_.discarder.calls[1].offset);
}

TEST_F(LargePagesFetched, MemoryIsFetchedAfterTheDiscardThatIsUnderWay) {
  add(0, kHuge, {page(0)});
  pass();
  ASSERT_EQ(sink_.waiting(), 1U);
  withdraw(1, kHuge, 1);
  pass();
  EXPECT_EQ(sink_.waiting(), 2U);
  sink_.step();
  EXPECT_TRUE(sink_.discarder.provided.empty());
  pass();
  EXPECT_EQ(collect(), (Used{{0, 0}}));
  sink_.step();
  pass();
  EXPECT_EQ(collect(), (Used{{1, 8}}));
}

TEST_F(LargePagesFetched, ALeavingDeviceAnswersFirst) {
  add(0, kHuge, {page(0)});
  settle();
  withdraw(1, kHuge, 1);
  pass();
  EXPECT_FALSE(f_.path().quiesce());
  sink_.step_all();
  EXPECT_TRUE(f_.path().quiesce());
  EXPECT_EQ(collect(), (Used{{0, 0}, {1, 8}}));
}

}  // namespace
}  // namespace vballoon::datapath
