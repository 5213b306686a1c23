// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_mailbox_idle.cpp - letters are answered one by one; idle passes rest as
// told. Does not prove how long a rest is: that is the kernel's word.
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <atomic>
#include <thread>
#include <vector>

#include "lcore/idle.hpp"
#include "lcore/mailbox.hpp"

namespace vballoon::lcore {
namespace {

const Mailbox::Letter* wait_for_letter(const Mailbox& mailbox) {
  const Mailbox::Letter* letter = nullptr;
  while ((letter = mailbox.peek()) == nullptr) std::this_thread::yield();
  return letter;
}

TEST(Mailbox, IsEmptyAtFirst) {
  const Mailbox mailbox;
  EXPECT_EQ(mailbox.peek(), nullptr);
}

TEST(Mailbox, ASenderWaitsForItsAnswer) {
  Mailbox mailbox;
  int carried_out = 0;  // written by the receiver, read by the sender: the answer orders the two
  int seen = -1;
  std::atomic<bool> returned{false};
  std::thread sender([&] {
    mailbox.send({Mailbox::Kind::kDetach, nullptr});
    seen = carried_out;
    returned = true;
  });
  const Mailbox::Letter* letter = wait_for_letter(mailbox);
  EXPECT_EQ(letter->kind, Mailbox::Kind::kDetach);
  for (int i = 0; i < 1000; ++i) {
    std::this_thread::yield();
    ASSERT_FALSE(returned) << "before it was answered";
    ASSERT_EQ(mailbox.peek(), letter) << "a letter stays until it is answered";
  }
  carried_out = 42;
  mailbox.answer();
  sender.join();
  EXPECT_EQ(seen, 42);
  EXPECT_EQ(mailbox.peek(), nullptr);
}

TEST(Mailbox, EveryLetterOfEverySenderIsReadOnce) {
  constexpr unsigned kSenders = 4;
  constexpr unsigned kLetters = 500;
  Mailbox mailbox;
  std::vector<std::thread> senders;
  for (unsigned i = 0; i < kSenders; ++i) {
    senders.emplace_back([&mailbox, i] {
      const auto kind = i % 2 == 0 ? Mailbox::Kind::kAttach : Mailbox::Kind::kDetach;
      for (unsigned n = 0; n < kLetters; ++n) mailbox.send({kind, nullptr});
    });
  }
  unsigned attaches = 0;
  unsigned detaches = 0;
  for (unsigned n = 0; n < kSenders * kLetters; ++n) {
    const Mailbox::Letter* letter = wait_for_letter(mailbox);
    ++(letter->kind == Mailbox::Kind::kAttach ? attaches : detaches);
    mailbox.answer();
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(attaches, kSenders / 2 * kLetters);
  EXPECT_EQ(detaches, kSenders / 2 * kLetters);
  EXPECT_EQ(mailbox.peek(), nullptr);
}

TEST(Idle, OnlyWhoSleepsAsksForSleepsThatEndInTime) {
  const auto slack_ns_with = [](IdleStrategy strategy) {
    int slack_ns = 0;
    std::thread([&] {
      Idle(strategy).begin();
      slack_ns = ::prctl(PR_GET_TIMERSLACK);
    }).join();
    return slack_ns;
  };
  const int usual = ::prctl(PR_GET_TIMERSLACK);
  EXPECT_EQ(slack_ns_with(IdleStrategy::kSpin), usual);
  EXPECT_LT(slack_ns_with(IdleStrategy::kBackoff), usual);
}

TEST(Idle, SpinningNeverSleeps) {
  Idle idle(IdleStrategy::kSpin);
  for (int pass = 0; pass < 20'000; ++pass) ASSERT_FALSE(idle.after_pass(Found::kNothing));
}

/// Passes without work before the first sleep.
int passes_before_sleep(Idle& idle) {
  int passes = 0;
  while (!idle.after_pass(Found::kNothing)) ++passes;
  return passes;
}

TEST(Idle, BackingOffSpinsFirstAndAgainAfterWork) {
  Idle idle(IdleStrategy::kBackoff);
  const int first = passes_before_sleep(idle);
  EXPECT_GT(first, 100) << "the next buffer is tens of microseconds away";
  EXPECT_EQ(passes_before_sleep(idle), 0) << "still idle: it sleeps on";
  EXPECT_FALSE(idle.after_pass(Found::kLone)) << "work never sleeps";
  EXPECT_EQ(passes_before_sleep(idle), 0) << "nothing comes behind it";
  EXPECT_FALSE(idle.after_pass(Found::kStream)) << "work never sleeps";
  EXPECT_EQ(passes_before_sleep(idle), first);
}

}  // namespace
}  // namespace vballoon::lcore
