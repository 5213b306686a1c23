// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_large_state.cpp - what is kept of a device 13 beside its ledger.
#include <algorithm>

#include "reclaim/leaving.hpp"
#include "state_fixture.hpp"

namespace vballoon::vm {
namespace {

constexpr std::uint32_t kTwoSizes = 0x201;
constexpr std::uint32_t kOneSize = 0x200;

class LargeState : public KeptState {
 protected:
  /// A daemon served "vm" and was killed.
  void leave(std::uint32_t sizes) {
    DeviceState state(&folder(), "vm", sizes);
    state.set_target({50});
    const auto room = state.room_for(*memory_);
    ASSERT_FALSE(room.filled);
    state.commit(false);
    room.words[3] = 0x55;
    if (!room.marks.empty()) room.marks.back() = 0x77;
    room.leaving[reclaim::Leaving::kMost] = 9;
    *state.serial() = 41;
    *state.ring(1) = {.mark = 123, .layout = kPackedRing};
    state.begin(kFeatures);
  }
};

TEST_F(LargeState, HasMarksAndLeavingPagesBesideTheLedger) {
  leave(kTwoSizes);
  DeviceState state(&folder(), "vm", kTwoSizes);
  const auto room = state.room_for(*memory_);
  ASSERT_TRUE(room.filled);
  ASSERT_EQ(room.marks.size(), room.words.size());
  EXPECT_EQ(room.words[3], 0x55U);
  EXPECT_EQ(room.words.back(), 0U);
  EXPECT_EQ(room.marks.back(), 0x77U);
  EXPECT_EQ(room.marks[3], 0U);
  ASSERT_EQ(room.leaving.size(), reclaim::Leaving::kWords);
  EXPECT_EQ(room.leaving.back(), 9U);
  EXPECT_EQ(*state.serial(), 41U);
  EXPECT_EQ(room.touched[0] & 1, 1U);
  EXPECT_EQ(room.marks_touched[0] & 1, 1U);
  EXPECT_TRUE(state.left().has_value());
}

TEST_F(LargeState, OfOneSizeHasNoMarks) {
  leave(kOneSize);
  DeviceState state(&folder(), "vm", kOneSize);
  const auto room = state.room_for(*memory_);
  EXPECT_TRUE(room.filled);
  EXPECT_TRUE(room.marks.empty());
  EXPECT_EQ(room.leaving.back(), 9U);
}

/// The ledger would be read as other pages.
TEST_F(LargeState, IsNoneOfOtherSizesOrOfAnotherKindButForTheWishes) {
  leave(kTwoSizes);
  for (const std::uint32_t sizes : {kOneSize, 0U}) {
    DeviceState state(&folder(), "vm", sizes);
    EXPECT_EQ(state.target()->pages, 50U) << sizes;
    EXPECT_EQ(state.left(), std::nullopt) << sizes;
    EXPECT_FALSE(state.room_for(*memory_).filled) << sizes;
  }
}

TEST_F(LargeState, IsNoneWhereAStockBalloonWasLeft) {
  leave_a_guest();
  DeviceState state(&folder(), "vm", kTwoSizes);
  EXPECT_EQ(state.target()->pages, 50U);
  EXPECT_EQ(state.left(), std::nullopt);
  EXPECT_FALSE(state.room_for(*memory_).filled);
  state.commit(false);
  EXPECT_TRUE(DeviceState(&folder(), "vm", kTwoSizes).room_for(*memory_).filled);
}

}  // namespace
}  // namespace vballoon::vm
