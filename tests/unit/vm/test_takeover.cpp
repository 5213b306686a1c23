// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_takeover.cpp - whether the driver is the same, another one, or not known: by
//                                   what two rings show, and by the marks that were left of each.
// Source: section 9 of the design.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <string_view>
#include <vector>

#include "support/driver_ring.hpp"
#include "support/guest_ram.hpp"
#include "support/packed_ring.hpp"
#include "vm/takeover.hpp"

namespace vballoon::vm {
namespace {

// The ways in which a ring may begin.
constexpr RingStart kResumed{.position = 7, .unused = false, .ours = true, .resumed = true};
constexpr RingStart kOursUnsure{.position = 7, .unused = false, .ours = true, .resumed = false};
constexpr RingStart kElsewhere{.position = 9, .unused = false, .ours = false, .resumed = false};
constexpr RingStart kOursUnused{.position = 0, .unused = true, .ours = true, .resumed = false};
constexpr RingStart kUnused{.position = 0, .unused = true, .ours = false, .resumed = false};
constexpr std::array<std::optional<RingStart>, 6> kAll{
    {std::nullopt, kResumed, kOursUnsure, kElsewhere, kOursUnused, kUnused}};

struct Row {
  std::string_view what;
  Evidence shows;
  Verdict verdict;
};
constexpr std::array kRows{
    Row{"both go on", {true, true, kResumed, kResumed}, Verdict::kSameDriver},
    Row{"nothing came back yet", {true, true, kResumed, kOursUnused}, Verdict::kSameDriver},
    Row{"deflate never began", {true, false, kResumed, kUnused}, Verdict::kSameDriver},
    Row{"deflate began, and is new", {true, true, kResumed, kUnused}, Verdict::kAnother},
    Row{"deflate is elsewhere", {true, false, kResumed, kElsewhere}, Verdict::kAnother},
    Row{"deflate does not show it", {true, true, kResumed, kOursUnsure}, Verdict::kAnother},
    Row{"deflate is not there", {true, false, kResumed, std::nullopt}, Verdict::kAnother},
    Row{"nothing was inflated yet", {true, true, kOursUnused, kOursUnused}, Verdict::kSameOrNew},
    Row{"nothing at all yet", {true, false, kOursUnused, kUnused}, Verdict::kSameOrNew},
    Row{"only deflate goes on", {true, true, kOursUnused, kResumed}, Verdict::kSameOrNew},
    Row{"inflate is new", {true, true, kUnused, kResumed}, Verdict::kAnother},
    Row{"inflate does not show it", {true, true, kOursUnsure, kResumed}, Verdict::kAnother},
    Row{"inflate is elsewhere", {true, true, kElsewhere, kResumed}, Verdict::kAnother},
    Row{"inflate is not there", {true, true, std::nullopt, kResumed}, Verdict::kAnother},
    Row{"other features", {false, true, kResumed, kResumed}, Verdict::kAnother},
    Row{"other features, nothing yet", {false, false, kOursUnused, kUnused}, Verdict::kAnother},
};

TEST(Verdicts, OfWhatBothRingsShow) {
  for (const Row& row : kRows) EXPECT_EQ(judge(row.shows), row.verdict) << row.what;
}

/// This holds whatever else a front end says.
TEST(Verdicts, NoLedgerIsTakenForThisGuestsUnlessItsInflateRingGoesOn) {
  unsigned same = 0;
  for (const bool features : {false, true}) {
    for (const bool began : {false, true}) {
      for (const auto& inflate : kAll) {
        for (const auto& deflate : kAll) {
          if (judge({features, began, inflate, deflate}) != Verdict::kSameDriver) continue;
          ++same;
          EXPECT_TRUE(features && inflate && deflate);
          EXPECT_TRUE(inflate->resumed);
          EXPECT_TRUE(deflate->resumed || deflate->unused);
        }
      }
    }
  }
  EXPECT_EQ(same, 5U);
}

class Starts : public ::testing::Test {
 protected:
  static constexpr virtq::Mark kAtSeven{.published = 7, .about = 7, .detail = 7};

  Starts() { ring_.begin_at(7); }
  [[nodiscard]] RingStart find(const MarksLeft& left, std::uint16_t base) const {
    return find_start(RingState(), left, ring_.areas(), base, *memory_);
  }
  [[nodiscard]] RingStart find_again(const RingState& ring, std::uint16_t base) const {
    return find_start(ring, {.ours = kAtSeven}, ring_.areas(), base, *memory_);
  }
  static RingState begun() {
    RingState ring;
    ring.announce();
    ring.start(wire::Role::kInflate);
    return ring;
  }

  const test::GuestRam ram_{{{Gpa{0}, kMiB, 0}}};
  const std::shared_ptr<const gmem::GuestMemory> memory_ = ram_.map();
  test::DriverRing ring_{ram_, Gpa{0}, 16};
};

TEST_F(Starts, WhereTheFrontEndSaysIfNothingIsLeft) {
  EXPECT_EQ(find({}, 7).position, 7);
  EXPECT_FALSE(find({}, 7).ours);
  EXPECT_FALSE(find({}, 7).unused);
  EXPECT_TRUE(find({}, 0).unused);
}

TEST_F(Starts, TheDriverGoesOnWhereBaseMarkAndRingAgree) {
  const RingStart start = find({.ours = kAtSeven}, 7);
  EXPECT_EQ(start.position, 7);
  EXPECT_TRUE(start.ours);
  EXPECT_TRUE(start.resumed);
}

TEST_F(Starts, NotWhereTheBaseIsAnother) {
  for (const std::uint16_t base : std::array<std::uint16_t, 3>{0, 6, 8}) {
    const RingStart start = find({.ours = kAtSeven}, base);
    EXPECT_EQ(start.position, base);
    EXPECT_FALSE(start.ours) << base;
    EXPECT_FALSE(start.resumed) << base;
  }
}

TEST_F(Starts, NotWhereTheRingIsAnother) {
  ring_.set_used_idx(3);
  const RingStart start = find({.ours = kAtSeven}, 7);
  EXPECT_FALSE(start.ours);
  EXPECT_FALSE(start.resumed);
}

/// The daemon was killed between staging and publishing. The ring tells which of the two positions
/// is true.
TEST_F(Starts, AtEitherEndOfWhatWasUnderWay) {
  const virtq::Mark under_way{.published = 7, .about = 9, .detail = 9};
  EXPECT_EQ(find({.ours = under_way}, 9).position, 7);
  EXPECT_TRUE(find({.ours = under_way}, 9).resumed);
  ring_.set_used_idx(9);
  EXPECT_EQ(find({.ours = under_way}, 7).position, 9);
  EXPECT_TRUE(find({.ours = under_way}, 7).resumed);
}

TEST_F(Starts, AFrontEndsMarkCountsForMoreThanItsBase) {
  const MarksLeft both{.ours = kAtSeven, .theirs = kAtSeven, .front_end_keeps = true};
  EXPECT_TRUE(find(both, 3).resumed);
  EXPECT_EQ(find(both, 3).position, 7);
}

TEST_F(Starts, AFrontEndThatKeepsMarksAndHasNoneHasANewDriver) {
  const RingStart start = find({.ours = kAtSeven, .front_end_keeps = true}, 7);
  EXPECT_FALSE(start.ours);
  EXPECT_FALSE(start.resumed);
}

/// No buffer is lost, but the ledger is not this guest's.
TEST_F(Starts, AMarkOfTheFrontEndAloneTellsThePosition) {
  const RingStart start = find({.theirs = kAtSeven, .front_end_keeps = true}, 0);
  EXPECT_EQ(start.position, 7);
  EXPECT_FALSE(start.ours);
  const virtq::Mark elsewhere{.published = 20, .about = 20, .detail = 20};
  EXPECT_FALSE(find({.ours = elsewhere, .theirs = kAtSeven, .front_end_keeps = true}, 7).ours);
}

TEST_F(Starts, OnceServedWhatOthersLeftIsPast) {
  EXPECT_FALSE(find_again(begun(), 7).ours) << "it stopped nowhere yet";
  RingState ring = begun();
  ring.stop(12);
  EXPECT_TRUE(find_again(ring, 12).resumed);
  EXPECT_FALSE(find_again(ring, 7).ours);
}

TEST_F(Starts, WhereRingsBeginOnlyAShortHaltIsNoReset) {
  RingState ring = begun();
  ring.stop(0);
  EXPECT_TRUE(find_again(ring, 0).ours);
  EXPECT_FALSE(find_again(ring, 0).resumed);
  ring.start(wire::Role::kInflate);
  ring.suspend(0);
  EXPECT_TRUE(find_again(ring, 0).resumed);
}

/// User Mode Linux 6.1 says that a packed ring begins at 0.
TEST_F(Starts, APackedRingOfZeroesLooksUnusedWhateverItsMark) {
  const test::PackedRing packed(ram_, Gpa{512 * kKiB}, 16);
  const virtq::Mark begin{.published = wire::kPackedBegin, .about = wire::kPackedBegin};
  const RingStart start = find_start(RingState(), {.ours = begin}, packed.areas(), 0, *memory_);
  EXPECT_EQ(start.position, wire::kPackedBegin);
  EXPECT_TRUE(start.unused);
  EXPECT_TRUE(start.ours);
  EXPECT_FALSE(start.resumed);
}

TEST(Marks, AreOfRingsOfTheirLayoutAlone) {
  const RingRecord record{.mark = std::bit_cast<std::uint64_t>(virtq::Mark{7, 7, 7, 0}),
                          .layout = kSplitRing};
  EXPECT_EQ(mark_of(record, kSplitRing), (virtq::Mark{7, 7, 7, 0}));
  EXPECT_EQ(mark_of(record, kPackedRing), std::nullopt);
  EXPECT_EQ(mark_of(RingRecord{}, kSplitRing), std::nullopt) << "of a ring that never began";
  EXPECT_EQ(mark_of(std::nullopt, kSplitRing), std::nullopt);
}

TEST(Takeovers, AreOpenUntilTheyAreDecided) {
  Takeover nothing;
  EXPECT_FALSE(nothing.undecided());
  EXPECT_EQ(nothing.left(), nullptr);
  EXPECT_FALSE(Takeover(std::nullopt).undecided());
  Takeover takeover(Left{.features = 5});
  EXPECT_TRUE(takeover.undecided());
  takeover.go_on();
  EXPECT_FALSE(takeover.undecided());
  ASSERT_NE(takeover.left(), nullptr) << "rings that begin later look for their marks there";
  EXPECT_EQ(takeover.left()->features, 5U);
  takeover.drop();
  EXPECT_EQ(takeover.left(), nullptr);
}

}  // namespace
}  // namespace vballoon::vm
