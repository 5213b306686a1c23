// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/datapath/test_quiesce.cpp - what is held and gathered when a device is left alone,
//                                      reset, closed, or driven against the rules.
// Source: sections 4 and 5 of the design.
#include <gtest/gtest.h>

#include "acknowledgement.hpp"

namespace vballoon::datapath {
namespace {

using Quiesce = Acknowledgement;

TEST_F(Quiesce, EndsWithNothingHeldAndNothingOnItsWay) {
  for (const bool tells : {true, false}) {
    begin(tells, kNever);
    inflate(0, 0, 100);
    f_->ring(Role::kReport).send(2, {free_pages(1000, 4)});
    poll();
    inflate(1, 512, 512);
    deflate(3, 50, 2);
    poll();
    EXPECT_GT(sink_.waiting(), 0U);
    inflate(5, 2000, 10);
    bool quiet = f_->path().quiesce();
    EXPECT_FALSE(quiet);
    for (int i = 0; i < 100 && !quiet; ++i) {
      if (sink_.waiting() != 0) sink_.step();
      quiet = f_->path().quiesce();
    }
    ASSERT_TRUE(quiet);
    EXPECT_EQ(sink_.waiting(), 0U);
    EXPECT_TRUE(sink_.all_back());
    EXPECT_EQ(f_->reclaimed().in_flight.get(), 0U);
    EXPECT_EQ(used(Role::kInflate), (Heads{0, 1})) << "nothing new was served";
    EXPECT_EQ(used(Role::kDeflate), (Heads{3}));
    EXPECT_EQ(used(Role::kReport), (Heads{2}));
    EXPECT_EQ(f_->path().stop(Role::kInflate), 2U) << "the third goes on from there";
  }
}

// A chain that a pass began comes again from its start; what was taken of it must not stay behind:
// its memory may be gone by the next pass.
TEST_F(Quiesce, LeavesNothingOfAReportThatWasBegun) {
  DeviceFixture f;
  f.start(Role::kReport);
  const std::uint64_t pages = DeviceFixture::kHighBytes / kPageSize;
  f.ring(Role::kReport).send(0, {free_pages(0, pages)});
  EXPECT_TRUE(f.path().poll());
  int steps = 0;
  while (!f.path().quiesce()) ASSERT_LT(++steps, 1000);
  const std::size_t calls = f.discarder().calls.size();
  EXPECT_EQ(f.path().stop(Role::kReport), 0U);
  EXPECT_FALSE(f.path().poll());
  EXPECT_EQ(f.discarder().calls.size(), calls);
  auto specs = f.ram().specs();
  specs.pop_back();
  f.path().set_memory(gmem::GuestMemory::create(specs).value());
  f.start(Role::kInflate);
  f.send_pfns(Role::kInflate, 0, {7000});
  f.poll_until_idle();
  EXPECT_EQ(f.discarder().calls.size(), calls + 1);
}

TEST_F(Quiesce, WhatIsGatheredAtTheEndIsDiscardedHereAndNow) {
  early(kNever);
  inflate(0, 0, 300);
  inflate(1, 5000, 7);
  poll();
  ASSERT_TRUE(f_->path().quiesce());
  EXPECT_TRUE(discarded().empty());
  for (const Role role : kAllRoles) static_cast<void>(f_->path().stop(role));
  test::FakeDiscarder discarder;
  reclaim::InlineSink here(discarder);
  f_->path().discard_gathered(here);
  auto wanted = in_file(0, 300);
  wanted.merge(in_file(5000, 7));
  EXPECT_EQ(discarder.file_pages(), wanted);
  EXPECT_EQ(sink_.waiting(), 0U);
}

// A driver that was reset has all its pages back: what was gathered is not discarded any more.
TEST_F(Quiesce, AResetForgetsWhatWasGathered) {
  early(kNever);
  inflate(0, 0, 300);
  poll();
  ASSERT_TRUE(f_->path().quiesce());
  static_cast<void>(f_->path().stop(Role::kInflate));
  f_->path().empty_balloon();
  reclaim::InlineSink here(sink_.discarder);
  f_->path().discard_gathered(here);
  EXPECT_TRUE(discarded().empty());
}

// Section 5 of the design, 5: as many as the ring is long, offered anew before they come back.
TEST_F(Quiesce, ADriverThatOffersMoreThanItsRingIsLongOnlyBreaksItsOwnQueue) {
  for (const Role role : {Role::kInflate, Role::kDeflate, Role::kReport}) {
    late();
    inflate(0, 0, 8);
    poll();
    auto& ring = f_->ring(role);
    for (std::uint16_t round = 0; round < 3; ++round) {
      for (std::uint16_t head = 0; head < 64; ++head) {
        if (role == Role::kReport) {
          ring.send(head, {free_pages(head * 2U, 1)});
        } else {
          f_->send_pfns(role, head, {DeviceFixture::page(head * 2U)});
        }
      }
      poll(8);
    }
    EXPECT_NE(f_->path().status(role).fault.get(), 0U) << wire::role_name(role);
    finish();
    EXPECT_EQ(f_->path().status(Role::kHint).fault.get(), 0U);
  }
}

}  // namespace
}  // namespace vballoon::datapath
