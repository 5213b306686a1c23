// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_balloon_target.cpp - the target that a driver is shown, by the size that was
//                                         asked for.
#include <gtest/gtest.h>

#include "state_fixture.hpp"
#include "vm/balloon_target.hpp"

namespace vballoon::vm {
namespace {

constexpr std::uint64_t kGuest = 1024 * kMiB;

/// A VM whose guest says nothing of its size: the guest counts as large as its memory table.
class Targets : public KeptState {
 protected:
  void connect(const std::shared_ptr<const gmem::GuestMemory>& memory) {
    balloon_.set_memory(memory, {}, false);
    target_.show();
  }
  void disconnect() {
    balloon_.release();
    target_.release();
  }
  Result<TargetSet> set(std::uint64_t bytes, bool forced = false) {
    return target_.set(Target{SizeOrShare{bytes, std::nullopt}, forced});
  }
  Result<TargetSet> set_share(std::uint32_t millionths) {
    return target_.set(Target{SizeOrShare{0, Share{millionths}}});
  }
  [[nodiscard]] std::uint64_t shown() const {
    return pages_to_bytes(balloon_.config().num_pages());
  }
  void driver_says(std::uint64_t bytes) {
    balloon_.config().restore_driver_fields(static_cast<std::uint32_t>(bytes_to_pages(bytes)), true,
                                            0);
  }

  const test::GuestRam large_{{{Gpa{0}, kGuest, 0}}};
  const test::GuestRam small_{{{Gpa{0}, kGuest / 4, 0}}};
  Guest guest_;
  Notices notices_{"vm"};
  Balloon balloon_{&folder(), "vm", {}};
  BalloonTarget target_{balloon_, guest_, wire::Dialect::kStock, notices_};
};

TEST_F(Targets, AreShownAsTheyAreWhereTheyFit) {
  connect(large_.map());
  const auto set_to = set(256 * kMiB);
  ASSERT_TRUE(set_to);
  EXPECT_EQ(set_to->target, 256 * kMiB);
  EXPECT_EQ(set_to->before, 0U);
  EXPECT_EQ(set_to->guest, kGuest);
  EXPECT_EQ(shown(), 256 * kMiB);
  EXPECT_FALSE(target_.notifies()) << "the driver is told by tell(), once";
  target_.tell();
  EXPECT_TRUE(target_.notifies());
  EXPECT_EQ(set(128 * kMiB)->before, 256 * kMiB);
}

TEST_F(Targets, ThatLeaveTheGuestTooLittleAreRefusedUnlessForced) {
  connect(large_.map());
  EXPECT_EQ(set(kGuest - 32 * kMiB).error().code, Code::kInvalidArgument);
  EXPECT_EQ(shown(), 0U);
  EXPECT_TRUE(set(kGuest - 32 * kMiB, true));
  EXPECT_EQ(shown(), kGuest - 32 * kMiB);
  EXPECT_EQ(set(kGuest + kMiB, true).error().code, Code::kInvalidArgument);
  EXPECT_EQ(shown(), kGuest - 32 * kMiB) << "the one before stands";
}

TEST_F(Targets, OfNobodyStandUntilAVmComesAndAreLoweredForASmallOne) {
  ASSERT_TRUE(set(512 * kMiB));
  EXPECT_EQ(shown(), 512 * kMiB);
  connect(small_.map());
  EXPECT_EQ(shown(), kGuest / 4 - left_to_guest(kGuest / 4));
  EXPECT_EQ(target_.wanted().size.bytes, 512 * kMiB) << "the wish itself stays";
  disconnect();
  EXPECT_EQ(shown(), 512 * kMiB);
  EXPECT_FALSE(target_.notifies()) << "nobody is there to be told";
}

TEST_F(Targets, AShareFollowsTheGuest) {
  ASSERT_TRUE(set_share(250'000));
  EXPECT_EQ(shown(), 0U) << "of nobody knows whom";
  connect(large_.map());
  EXPECT_EQ(shown(), kGuest / 4);
  disconnect();
  connect(small_.map());
  EXPECT_EQ(shown(), kGuest / 16);
}

/// A guest's size becomes known by and by. Small changes of it do not change the target.
TEST_F(Targets, AShareIsShownAnewWhereThatMakesADifference) {
  ASSERT_TRUE(set_share(500'000));
  connect(large_.map());
  driver_says(kGuest / 2);
  balloon_.config().set_num_pages(balloon_.config().num_pages() - 1);
  target_.follow();
  EXPECT_EQ(shown(), kGuest / 2 - kPageSize) << "a page is no difference";
  balloon_.config().set_num_pages(1);
  target_.follow();
  EXPECT_EQ(shown(), kGuest / 2);
  balloon_.config().forget_actual();
  balloon_.config().set_num_pages(1);
  target_.follow();
  EXPECT_EQ(shown(), kPageSize) << "a driver that is asked for its size sees another target";
}

TEST_F(Targets, OutliveTheDaemon) {
  connect(large_.map());
  ASSERT_TRUE(set(kGuest - 16 * kMiB, true));
  ASSERT_TRUE(balloon_.state().kept());
  Balloon next(&folder(), "vm", {});
  Guest nobody;
  const BalloonTarget again(next, nobody, wire::Dialect::kStock, notices_);
  EXPECT_EQ(again.wanted().size.bytes, kGuest - 16 * kMiB);
  EXPECT_TRUE(again.wanted().forced);
  EXPECT_EQ(next.config().num_pages(), bytes_to_pages(kGuest - 16 * kMiB));
}

TEST_F(Targets, ADriverWhoseSizeIsNotKnownIsAskedAfterAMoment) {
  connect(large_.map());
  ASSERT_TRUE(set(256 * kMiB));
  balloon_.config().forget_actual();
  EXPECT_FALSE(target_.asks(UINT64_MAX - 1)) << "nobody told it";
  target_.tell();
  EXPECT_TRUE(target_.asks(UINT64_MAX - 1));
  driver_says(256 * kMiB);
  target_.ask(true);
  EXPECT_FALSE(target_.asks(UINT64_MAX - 1)) << "it said so by itself";
  EXPECT_EQ(shown(), 256 * kMiB);
}

TEST_F(Targets, WhereTheVmmCannotBeToldNobodyIsAsked) {
  connect(large_.map());
  ASSERT_TRUE(set(256 * kMiB));
  balloon_.config().forget_actual();
  target_.tell();
  target_.notified();
  target_.ask(false);
  EXPECT_FALSE(target_.asks(UINT64_MAX - 1));
  EXPECT_EQ(shown(), 256 * kMiB);
}

}  // namespace
}  // namespace vballoon::vm
