// SPDX-License-Identifier: BSD-3-Clause
//
// Questions of other threads to a control thread that answers, is busy, or has gone.
#include <gtest/gtest.h>

#include <asio/executor_work_guard.hpp>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "methods_fixture.hpp"
#include "service/telemetry/desk.hpp"

namespace vballoon::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TelemetryDesk : public MethodsFixture {
 protected:
  ~TelemetryDesk() override { desk_.close(); }

  /// Asks on a thread of its own.
  std::future<Answer> ask(const Desk::Question& question, milliseconds patience = seconds(20)) {
    return std::async(std::launch::async,
                      [this, question, patience] { return desk_.ask(question, patience); });
  }
  static Answer names(const Answers& answers) { return answers.names(""); }
  static bool is_there(const std::future<Answer>& answer) {
    return answer.wait_for(milliseconds(0)) == std::future_status::ready;
  }
  /// Runs the control thread until there is an answer.
  Answer answer_of(std::future<Answer> asked) {
    while (!is_there(asked)) {
      loop_.restart();
      loop_.run_for(milliseconds(1));
    }
    return asked.get();
  }

  const Answers answers_{fleet_, settings_};
  Desk desk_;
};

TEST_F(TelemetryDesk, AnswersOnTheControlThread) {
  desk_.open(loop_, answers_);
  std::optional<std::thread::id> on;
  const Answer answer = answer_of(ask([&on](const Answers& answers) {
    on = std::this_thread::get_id();
    return names(answers);
  }));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->text, R"({"vms":0,"left":0,"names":[]})");
  EXPECT_EQ(on, std::this_thread::get_id());
}

TEST_F(TelemetryDesk, RefusesWhileItIsClosed) {
  EXPECT_FALSE(desk_.ask(names, seconds(20)));
  desk_.open(loop_, answers_);
  desk_.close();
  EXPECT_EQ(desk_.ask(names, seconds(20)).error().message, "the daemon ends");
}

TEST_F(TelemetryDesk, IsNotWaitedForLongerThanSaid) {
  desk_.open(loop_, answers_);
  EXPECT_FALSE(desk_.ask(names, milliseconds(20)));
}

/// The control thread is still at it when nobody waits any more, and then goes on.
TEST_F(TelemetryDesk, AnAnswerThatComesLateIsNobodys) {
  desk_.open(loop_, answers_);
  std::atomic<bool> taken = false;
  std::atomic<bool> over = false;
  std::promise<void> go_on;
  auto late = ask(
      [&taken, &go_on](const Answers& answers) {
        taken = true;
        go_on.get_future().wait();
        return names(answers);
      },
      milliseconds(500));
  std::thread control([this, &over] {
    while (!over) {
      loop_.restart();
      loop_.run_for(milliseconds(1));
    }
  });
  EXPECT_FALSE(late.get());
  EXPECT_TRUE(taken);
  go_on.set_value();
  EXPECT_TRUE(desk_.ask(names, seconds(20)));
  over = true;
  control.join();
}

TEST_F(TelemetryDesk, AQuestionThatNobodyWaitsForIsNotTakenUp) {
  desk_.open(loop_, answers_);
  bool called = false;
  const auto question = [&called](const Answers& answers) {
    called = true;
    return names(answers);
  };
  EXPECT_FALSE(desk_.ask(question, milliseconds(1)));
  loop_.run_for(milliseconds(20));
  EXPECT_FALSE(called);
  EXPECT_TRUE(answer_of(ask(names)));
}

TEST_F(TelemetryDesk, ItsEndRefusesThoseThatWaitAtOnce) {
  desk_.open(loop_, answers_);
  std::vector<std::future<Answer>> asked;
  for (int i = 0; i < 4; ++i) asked.push_back(ask(names));
  std::this_thread::sleep_for(milliseconds(50));
  desk_.close();
  for (auto& answer : asked) {
    ASSERT_EQ(answer.wait_for(seconds(10)), std::future_status::ready);
    EXPECT_FALSE(answer.get());
  }
}

/// A thread of DPDK's asks on while the daemon's objects go, and afterwards.
TEST_F(TelemetryDesk, OutlivesTheLoopAndTheAnswers) {
  std::atomic<bool> over = false;
  std::vector<std::thread> askers;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 3; ++i) {
    askers.emplace_back([&] {
      while (!over) answered += desk_.ask(names, seconds(20)) ? 1 : 0;
    });
  }
  for (int life = 0; life < 50; ++life) {
    asio::io_context loop{1};
    const auto answers = std::make_unique<const Answers>(fleet_, settings_);
    desk_.open(loop, *answers);
    const int before = answered;
    while (answered < before + 3) {
      loop.restart();
      loop.run_for(milliseconds(1));
    }
    desk_.close();
  }
  over = true;
  for (std::thread& asker : askers) asker.join();
  EXPECT_GE(answered, 150);
}

}  // namespace
}  // namespace vballoon::service
