// SPDX-License-Identifier: BSD-3-Clause
//
// A reader gets each event once, in order, and is told of those that it does not get.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "service/events/event_log.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;
using std::chrono::milliseconds;

constexpr std::uint64_t kDaemon = 7;

class EventLogTest : public testing::Test {
 protected:
  void happens(const std::string& vm, int times = 1) {
    for (int i = 0; i < times; ++i) log_.add({vm, "running", "x"}, 1000);
  }
  /// Waits as a client does. @return the answer, where there is one by now.
  std::optional<Json> ask(std::uint64_t after, milliseconds timeout = milliseconds(0),
                          std::uint64_t daemon = kDaemon) {
    answer_.reset();
    log_.wait({after, daemon}, timeout, this, [this](const rpc::Outcome<rpc::Body>& outcome) {
      answer_ = Json::parse(outcome.value().text);
    });
    return answer_;
  }
  static std::vector<std::uint64_t> numbers(const Json& answer) {
    std::vector<std::uint64_t> all;
    for (const Json& event : answer.at("events")) all.push_back(event.at("number"));
    return all;
  }
  using Numbers = std::vector<std::uint64_t>;

  asio::io_context loop_;
  EventLog log_{loop_, kDaemon, {.kept = 4, .of_a_vm = 3}};
  std::optional<Json> answer_;
};

TEST_F(EventLogTest, AReaderGetsWhatItLacks) {
  happens("a");
  happens("b");
  EXPECT_EQ(numbers(*ask(0)), (Numbers{1, 2}));
  EXPECT_EQ(numbers(*ask(1)), Numbers{2});
  EXPECT_EQ(numbers(*ask(2)), Numbers{});
  EXPECT_EQ(ask(1)->at("last"), 2);
  EXPECT_EQ(ask(1)->at("lost"), 0);
  const Json event = ask(1)->at("events").at(0);
  EXPECT_EQ(event.at("vm"), "b");
  EXPECT_EQ(event.at("at_ms"), 1000);
}

TEST_F(EventLogTest, AReaderThatIsLateIsToldHowManyAreGone) {
  for (const char* vm : {"a", "b", "c", "d", "e", "f"}) happens(vm);
  EXPECT_EQ(numbers(*ask(0)), (Numbers{3, 4, 5, 6}));
  EXPECT_EQ(ask(0)->at("lost"), 2);
  EXPECT_EQ(ask(1)->at("lost"), 1);
  EXPECT_EQ(ask(2)->at("lost"), 0);
}

TEST_F(EventLogTest, OneVmDoesNotCrowdOutOthers) {
  happens("loud", 50);
  happens("quiet");
  const Json answer = *ask(0);
  EXPECT_EQ(numbers(answer), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(answer.at("events").at(3).at("vm"), "quiet");
  log_.forget_vm("loud");
  happens("loud");
  EXPECT_EQ(ask(4)->at("events").at(0).at("untold"), 0);
}

TEST_F(EventLogTest, TheNextEventOfALoudVmTellsHowManyWereNot) {
  happens("loud", 5);
  log_.add({"loud", "broken", "x"}, 1000);
  log_.add({"loud", "removed", "x"}, 1000);
  const Json answer = *ask(3);
  EXPECT_EQ(numbers(answer), (Numbers{4, 5})) << "what an operator has to see is always told";
  EXPECT_EQ(answer.at("events").at(0).at("untold"), 2);
  EXPECT_EQ(answer.at("events").at(1).at("untold"), 0);
}

TEST_F(EventLogTest, OneThatIsGoneIsNotWaitedFor) {
  int other = 0;
  EXPECT_FALSE(ask(0, milliseconds(60'000)));
  log_.wait({0, kDaemon}, milliseconds(60'000), &other, [&](const auto&) { ++other; });
  log_.forget(this);
  happens("a");
  EXPECT_FALSE(answer_);
  EXPECT_EQ(other, 1);
  loop_.run();  // no timer is left
}

TEST_F(EventLogTest, AReaderWaitsForTheNextOne) {
  EXPECT_FALSE(ask(0, milliseconds(60'000)));
  happens("a");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(numbers(*answer_), Numbers{1});
  loop_.run();  // its timer is cancelled
  EXPECT_EQ(numbers(*answer_), Numbers{1});
}

TEST_F(EventLogTest, AWaitEndsWithNothingAfterItsTime) {
  EXPECT_FALSE(ask(0, milliseconds(5)));
  loop_.run();
  ASSERT_TRUE(answer_);
  EXPECT_EQ(numbers(*answer_), Numbers{});
  EXPECT_EQ(answer_->at("last"), 0);
}

TEST_F(EventLogTest, AnEventThatComesAsTheTimeIsOverAnswersOnce) {
  int answers = 0;
  log_.wait({0, kDaemon}, milliseconds(1), this, [&](const auto&) { ++answers; });
  std::this_thread::sleep_for(milliseconds(20));  // the timer is due, and its handler has not run
  happens("a");
  loop_.run();
  EXPECT_EQ(answers, 1);
}

TEST_F(EventLogTest, AnAnswerMayWaitAgain) {
  std::vector<std::uint64_t> seen;
  std::function<void(std::uint64_t)> follow = [&](std::uint64_t after) {
    log_.wait({after, kDaemon}, milliseconds(60'000), this, [&](const auto& outcome) {
      const Json answer = Json::parse(outcome.value().text);
      for (const std::uint64_t number : numbers(answer)) seen.push_back(number);
      follow(answer.at("last"));
    });
  };
  follow(0);
  happens("a", 2);
  happens("b", 2);
  EXPECT_EQ(seen, (Numbers{1, 2, 3, 4}));
  log_.stop();
}

TEST_F(EventLogTest, NumbersOfAnotherDaemonCountFromItsBeginning) {
  happens("a");
  const auto answer = ask(500, milliseconds(60'000), kDaemon + 1);
  ASSERT_TRUE(answer) << "at once";
  EXPECT_EQ(answer->at("another_daemon"), true);
  EXPECT_EQ(numbers(*answer), Numbers{1});
  EXPECT_EQ(answer->at("daemon"), kDaemon);
  EXPECT_EQ(ask(0)->at("another_daemon"), false);
}

TEST_F(EventLogTest, ANumberBeyondTheLastOneIsTheLastOne) {
  happens("a");
  EXPECT_FALSE(ask(1'000'000, milliseconds(60'000)));
  happens("b");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(numbers(*answer_), Numbers{2});
}

}  // namespace
}  // namespace vballoon::service
