// SPDX-License-Identifier: BSD-3-Clause
//
// Source: sd_watchdog_enabled(3): the watchdog is fed while the service really works.
#include <gtest/gtest.h>

#include <cstdint>

#include "lcore/heartbeat.hpp"

namespace vballoon::lcore {
namespace {

class HeartbeatTest : public testing::Test {
 protected:
  HeartbeatTest() {
    heartbeat_.listen_to([this] { return poll_; });
    heartbeat_.listen_to([this] { return reclaim_; });
  }
  std::uint64_t poll_ = 1;
  std::uint64_t reclaim_ = 1;
  Heartbeat heartbeat_;
};

TEST_F(HeartbeatTest, OneThatMadeNoProgressIsEnough) {
  EXPECT_TRUE(heartbeat_.all_alive());
  ++poll_;
  EXPECT_FALSE(heartbeat_.all_alive());
  ++reclaim_;
  EXPECT_FALSE(heartbeat_.all_alive());
  ++poll_;
  ++reclaim_;
  EXPECT_TRUE(heartbeat_.all_alive());
}

TEST_F(HeartbeatTest, WhoNeverBeganIsNotAlive) {
  reclaim_ = 0;
  EXPECT_FALSE(heartbeat_.all_alive());
}

TEST_F(HeartbeatTest, ProgressIsSinceTheLastTimeAlsoAfterAnotherStoodStill) {
  EXPECT_TRUE(heartbeat_.all_alive());
  ++reclaim_;
  EXPECT_FALSE(heartbeat_.all_alive());
  ++poll_;
  EXPECT_FALSE(heartbeat_.all_alive()) << "what reclaim did was counted before";
}

TEST(Heartbeat, TellsInWhoseWorkAnLcoreStandsStill) {
  const int vm = 0;
  std::uint64_t poll = 1;
  std::uint64_t reclaim = 1;
  Heartbeat heartbeat;
  heartbeat.listen_to([&] { return poll; });
  heartbeat.listen_to([&] { return reclaim; }, [&] { return &vm; });
  EXPECT_TRUE(heartbeat.all_alive());
  EXPECT_EQ(heartbeat.stands_still_in(), nullptr);
  ++poll;
  EXPECT_FALSE(heartbeat.all_alive());
  EXPECT_EQ(heartbeat.stands_still_in(), &vm);
  ++reclaim;
  EXPECT_FALSE(heartbeat.all_alive());
  EXPECT_EQ(heartbeat.stands_still_in(), nullptr) << "nothing is known of the other one";
  ++poll;
  ++reclaim;
  EXPECT_TRUE(heartbeat.all_alive());
}

TEST(Heartbeat, WithNobodyToListenToAllIsWell) {
  EXPECT_TRUE(Heartbeat().all_alive());
}

}  // namespace
}  // namespace vballoon::lcore
