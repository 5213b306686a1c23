// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_restart.cpp - what becomes of a balloon that an earlier daemon left.
#include "state_fixture.hpp"
#include "vm/restart.hpp"

namespace vballoon::vm {
namespace {

constexpr RingStart kGoesOn{.position = 7, .unused = false, .ours = true, .resumed = true};
constexpr RingStart kSilent{.position = 0, .unused = true, .ours = true, .resumed = false};
constexpr RingStart kNew{.position = 0, .unused = true, .ours = false, .resumed = false};

/// The next daemon's side of a VM. Its folder has the state that leave_a_guest() left: a balloon of
/// 4 pages.
class Restarts : public KeptState {
 protected:
  Restarts() { leave_a_guest(); }

  struct Next {
    explicit Next(const Folder& folder) : balloon(&folder, "vm", {}) {
      guest.acked = wire::Features(kFeatures);
      balloon.path().set_features(guest.acked);
    }
    [[nodiscard]] std::uint64_t ballooned() const {
      return balloon.path().counters().ballooned_pages.get();
    }
    Guest guest;
    Notices notices{"vm"};
    Balloon balloon;
    BalloonTarget target{balloon, guest, wire::Dialect::kStock, notices};
    Restart restart{balloon, guest, target, notices};
  };
};

TEST_F(Restarts, NothingIsDecidedBeforeTheRingsAreThere) {
  Next next(folder());
  next.restart.take_memory(memory_);
  EXPECT_TRUE(next.guest.takeover.undecided());
  EXPECT_EQ(next.ballooned(), 4U);
  EXPECT_TRUE(next.balloon.state().left()) << "a daemon that is killed now leaves it as it was";
}

TEST_F(Restarts, TheSameDriverHasItsBalloonBack) {
  Next next(folder());
  next.restart.take_memory(memory_);
  next.target.notified();
  next.restart.decide(kGoesOn, kGoesOn);
  EXPECT_FALSE(next.guest.takeover.undecided());
  EXPECT_EQ(next.ballooned(), 4U);
  EXPECT_EQ(next.balloon.config().actual(), 4U);
  EXPECT_TRUE(next.balloon.config().knows_actual());
  EXPECT_EQ(next.balloon.config().poison_value(), 9U);
  EXPECT_TRUE(next.target.notifies()) << "the target may have changed meanwhile";
  EXPECT_EQ(next.balloon.path().reclaim_counters().gathered_pages.get(), 4U)
      << "nobody knows what of it was discarded";
}

TEST_F(Restarts, AGuestThatWasHandedOnHasItsBalloonWhateverItsRingsSay) {
  Next next(folder());
  next.guest.handed_on = true;
  next.restart.take_memory(memory_);
  EXPECT_FALSE(next.guest.takeover.undecided());
  EXPECT_EQ(next.guest.takeover.left(), nullptr) << "its marks are no other ring's";
  EXPECT_FALSE(next.guest.handed_on);
  EXPECT_EQ(next.ballooned(), 4U);
  EXPECT_EQ(next.balloon.config().actual(), 4U);
  EXPECT_TRUE(next.target.notifies());
}

TEST_F(Restarts, AGuestThatWasHandedOnInOtherMemoryIsNotTakenForIt) {
  Next next(folder());
  next.guest.handed_on = true;
  const test::GuestRam other{{{Gpa{0}, 4 * kMiB, 0}}};
  next.restart.take_memory(other.map());
  EXPECT_TRUE(next.guest.handed_on) << "nobody found its ledger";
  EXPECT_EQ(next.ballooned(), 0U);
}

/// The inflate ring of another driver came after its deflate ring.
TEST_F(Restarts, ARingThatIsServedKeepsItsMarkWhenTheBalloonIsEmptied) {
  Next next(folder());
  next.restart.take_memory(memory_);
  RingRecord* const record = next.balloon.state().ring(1);
  ASSERT_NE(record, nullptr);
  *record = {.mark = 77, .layout = kSplitRing, .generation = 3};
  next.guest.rings[1].announce();
  next.guest.rings[1].start(wire::Role::kDeflate);
  next.restart.decide(kNew, kNew);
  EXPECT_EQ(record->mark, 77U);
  EXPECT_EQ(record->layout, kSplitRing);
  EXPECT_EQ(record->generation, 3U);
}

TEST_F(Restarts, AnotherDriversBalloonIsEmpty) {
  Next next(folder());
  next.restart.take_memory(memory_);
  next.restart.decide(kNew, kNew);
  EXPECT_FALSE(next.guest.takeover.undecided());
  EXPECT_EQ(next.guest.takeover.left(), nullptr);
  EXPECT_EQ(next.ballooned(), 0U);
  EXPECT_FALSE(next.balloon.state().left());
  EXPECT_EQ(next.balloon.state().ring(1)->layout, kNoRing);
  EXPECT_EQ(next.balloon.config().poison_value(), 0U);
}

TEST_F(Restarts, OtherFeaturesAreAnotherDrivers) {
  Next next(folder());
  next.guest.acked = wire::Features(kFeatures).without(wire::Feature::kVersion1);
  next.restart.take_memory(memory_);
  next.restart.decide(kGoesOn, kGoesOn);
  EXPECT_EQ(next.ballooned(), 0U);
}

/// A new driver writes its own poison value, but the old driver does not write its value again.
TEST_F(Restarts, OfOneThatGaveNothingYetThePoisonValueStays) {
  Next next(folder());
  next.guest.acked = wire::Features(kFeatures).with(wire::Feature::kPagePoison);
  DeviceState(&folder(), "vm").begin(next.guest.acked.bits());
  Next same(folder());
  same.guest.acked = next.guest.acked;
  same.restart.take_memory(memory_);
  same.restart.decide(kSilent, kSilent);
  EXPECT_EQ(same.ballooned(), 0U);
  EXPECT_EQ(same.balloon.config().poison_value(), 9U);
  EXPECT_TRUE(same.target.notifies());
}

TEST_F(Restarts, OtherMemoryIsAnotherGuests) {
  Next next(folder());
  const test::GuestRam other{{{Gpa{0}, 4 * kMiB, 0}}};
  next.restart.take_memory(other.map());
  EXPECT_FALSE(next.guest.takeover.undecided());
  EXPECT_EQ(next.ballooned(), 0U);
}

TEST_F(Restarts, OtherMemoryBeforeItIsDecidedDropsWhatWasLeft) {
  Next next(folder());
  next.restart.take_memory(memory_);
  const test::GuestRam other{{{Gpa{0}, 4 * kMiB, 0}}};
  next.restart.take_memory(other.map());
  EXPECT_FALSE(next.guest.takeover.undecided());
  EXPECT_EQ(next.guest.takeover.left(), nullptr);
  EXPECT_EQ(next.ballooned(), 0U);
}

TEST_F(Restarts, OtherMemoryOfTheSameGuestTakesItsBalloonAlong) {
  Next next(folder());
  next.restart.take_memory(memory_);
  next.restart.decide(kGoesOn, kGoesOn);
  next.restart.take_memory(ram_.map());
  EXPECT_EQ(next.ballooned(), 4U);
  EXPECT_TRUE(next.balloon.state().left());
}

TEST_F(Restarts, ADriverThatBeginsAnewHasNoPagesAway) {
  Next next(folder());
  next.restart.take_memory(memory_);
  next.restart.decide(kGoesOn, kGoesOn);
  next.restart.meet_driver(RingState(), kNew);
  EXPECT_EQ(next.ballooned(), 0U);
  EXPECT_EQ(next.balloon.config().actual(), 0U);
  EXPECT_TRUE(next.balloon.config().knows_actual());
  EXPECT_TRUE(next.guest.ledger_whole);
}

/// The driver comes from another host. It says how large its balloon is, but the ledger does not
/// have the pages.
TEST_F(Restarts, ADriverThatCameInTheMiddleKeepsWhatItSaid) {
  Next next(folder());
  next.restart.take_memory(memory_);
  next.restart.decide(kNew, kNew);
  next.balloon.config().restore_driver_fields(50, true, 0);
  const RingStart middle{.position = 30, .unused = false, .ours = false, .resumed = false};
  next.restart.meet_driver(RingState(), middle);
  EXPECT_EQ(next.balloon.config().actual(), 50U);
  EXPECT_TRUE(next.balloon.config().knows_actual());
  EXPECT_FALSE(next.guest.ledger_whole);
  RingState served_before;
  served_before.announce();
  served_before.start(wire::Role::kInflate);
  served_before.stop(29);
  next.restart.meet_driver(served_before, middle);
  EXPECT_FALSE(next.balloon.config().knows_actual()) << "it was here, and went on elsewhere";
}

}  // namespace
}  // namespace vballoon::vm
