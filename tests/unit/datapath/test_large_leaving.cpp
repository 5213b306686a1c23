// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_large_leaving.cpp - pages that the device chose are nobody's at no time,
//                                              also where its process is killed meanwhile.
// Source: docs/device-13.md, DEV-10; section 9 of the design. Does not kill a process.
#include "large_fixture.hpp"

namespace vballoon::datapath {
namespace {

using reclaim::Leaving;

class LargeLeaving : public LargeTest {
 protected:
  LargeLeaving() { begin_again(0, false); }

  /// Rings and memory are taken up as another process does it, with an empty ledger.
  void begin_again(std::uint16_t position, bool resumed) {
    for (const Role role : {Role::kToDevice, Role::kFromDevice}) {
      if (f_.path().running(role)) static_cast<void>(f_.path().stop(role));
    }
    f_.path().release();
    reclaim::LedgerRoom room;
    room.leaving = words_;
    f_.path().set_memory(f_.ram().map(), room);
    negotiate(kAllFeatures);
    f_.start(Role::kToDevice, position, resumed);
  }
  void leave_noted(std::uint16_t position) {
    Leaving leaving{std::span(words_)};
    leaving.add({page(3) / kPageSize, 512});
    leaving.add({page(5) / kPageSize, 512});
    leaving.begin(position, 1);
  }

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(Leaving::kWords);
};

TEST_F(LargeLeaving, PagesAreNotedUntilTheDriverHasSeenTheAnswer) {
  add(0, kHuge, {page(0), page(1)});
  settle();
  withdraw(1, kHuge, 2);
  settle();
  ASSERT_EQ(collect(), (Used{{0, 0}, {1, 16}}));
  std::vector<std::uint64_t> seen;
  const auto note = [&seen](std::uint64_t page, unsigned kind) {
    seen.push_back(page);
    EXPECT_EQ(kind, 1U);
  };
  Leaving{std::span(words_)}.for_each_unseen(1, note);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{page(0) / kPageSize, page(1) / kPageSize}));
  add(3, kHuge, {page(0)});
  settle();
  EXPECT_EQ(words_[0], 0U) << "whoever sends another one has seen it";
}

TEST_F(LargeLeaving, AnAnswerThatWasNotSeenIsUndone) {
  leave_noted(7);
  begin_again(7, true);
  settle();
  EXPECT_EQ(ballooned(), 4 * kMiB);
  EXPECT_EQ(sink_.discarder.calls.size(), 2U) << "their memory may have been fetched";
  EXPECT_EQ(words_[0], 0U);
}

TEST_F(LargeLeaving, AnAnswerThatWasSeenIsOver) {
  leave_noted(7);
  begin_again(8, true);
  settle();
  EXPECT_EQ(ballooned(), 0U);
  EXPECT_EQ(words_[0], 0U);
}

TEST_F(LargeLeaving, AnotherDriverHasNoPagesThere) {
  leave_noted(7);
  begin_again(7, false);
  settle();
  EXPECT_EQ(ballooned(), 0U);
  EXPECT_EQ(words_[0], 0U);
}

TEST_F(LargeLeaving, WhatCannotBeIsLeftOut) {
  Leaving leaving{std::span(words_)};
  leaving.add({page(3) / kPageSize + 1, 512});
  leaving.add({UINT64_MAX / kPageSize, 512});
  leaving.add({page(4) / kPageSize, 512});
  leaving.begin(0, 1);
  begin_again(0, true);
  settle();
  EXPECT_EQ(ballooned(), 2 * kMiB);
  leaving.add({page(3) / kPageSize, 512});
  leaving.begin(0, 9);
  begin_again(0, true);
  settle();
  EXPECT_EQ(ballooned(), 0U) << "no such size";
}

}  // namespace
}  // namespace vballoon::datapath
