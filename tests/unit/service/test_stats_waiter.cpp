// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "fake_fleet.hpp"
#include "service/rpc/stats_waiter.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;
using std::chrono::milliseconds;

class StatsWaiterTest : public testing::Test {
 protected:
  StatsWaiterTest() {
    fleet_.answers_stats = false;
    fleet_.guest("vm1");
  }
  void ask(milliseconds timeout) {
    waiter_.ask("vm1", timeout, this, [this](const rpc::Outcome<rpc::Body>& said) {
      answers_.push_back(said.map([](const rpc::Body& body) { return Json::parse(body.text); }));
    });
  }
  void run(milliseconds time) {
    loop_.restart();
    loop_.run_for(time);
  }

  asio::io_context loop_;
  FakeFleet fleet_;
  StatsWaiter waiter_{loop_, fleet_};
  std::vector<rpc::Outcome<Json>> answers_;
};

TEST_F(StatsWaiterTest, AnswersWithTheFreshSample) {
  fleet_.answer_stats("vm1", 1);
  ask(milliseconds(5000));
  run(milliseconds(30));
  EXPECT_TRUE(answers_.empty()) << "the old sample is not what was asked for";
  fleet_.answer_stats("vm1", 2);
  run(milliseconds(100));
  ASSERT_EQ(answers_.size(), 1U);
  ASSERT_TRUE(answers_[0]);
  EXPECT_EQ(answers_[0]->at("fresh"), true);
  EXPECT_EQ(answers_[0]->at("stats").at("free_bytes"), 2);
  EXPECT_EQ(fleet_.stats_requests, 1U);
}

TEST_F(StatsWaiterTest, AnswersWithTheStaleSampleAfterTheTimeout) {
  fleet_.answer_stats("vm1", 1);
  ask(milliseconds(40));
  run(milliseconds(500));
  ASSERT_EQ(answers_.size(), 1U);
  ASSERT_TRUE(answers_[0]);
  EXPECT_EQ(answers_[0]->at("fresh"), false);
  EXPECT_EQ(answers_[0]->at("stats").at("free_bytes"), 1);
  EXPECT_EQ(answers_[0]->at("stats").at("age_ms"), 3);
}

TEST_F(StatsWaiterTest, SaysSoWhenThereNeverWasASample) {
  ask(milliseconds(0));
  run(milliseconds(200));
  ASSERT_EQ(answers_.size(), 1U);
  ASSERT_FALSE(answers_[0]);
  EXPECT_EQ(answers_[0].error().code, rpc::kUnavailable);
}

TEST_F(StatsWaiterTest, FailsAtOnceWhereTheVmRefuses) {
  fleet_.report("vm1").state = vm::State::kConnected;
  ask(milliseconds(5000));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error().message, "no driver");
}

TEST_F(StatsWaiterTest, EndsWhenTheDeviceGoesAway) {
  ask(milliseconds(5000));
  ASSERT_TRUE(fleet_.remove("vm1"));
  run(milliseconds(200));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error().code, rpc::kNotFound);
}

TEST_F(StatsWaiterTest, ServesSeveralWaitsEachToItsOwnEnd) {
  fleet_.answer_stats("vm1", 1);
  ask(milliseconds(30));
  ask(milliseconds(5000));
  run(milliseconds(300));
  ASSERT_EQ(answers_.size(), 1U);
  fleet_.answer_stats("vm1", 2);
  run(milliseconds(100));
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_EQ(answers_[1]->at("fresh"), true);
}

TEST_F(StatsWaiterTest, StopDropsEveryWait) {
  ask(milliseconds(10));
  waiter_.stop();
  run(milliseconds(100));
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace vballoon::service
