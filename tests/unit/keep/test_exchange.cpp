// SPDX-License-Identifier: BSD-3-Clause
//
// A server that ends at each of its steps, and once more while the next one takes over.
// Source: section 11 of the design.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "asker.hpp"
#include "keep/exchange.hpp"
#include "keep/lent.hpp"
#include "support/ending.hpp"

namespace vballoon::keep {
namespace {

/// In a process of its own, from end to end.
Served serve_to_the_end(Asked& asked) {
  Served served = Served::kWrong;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(static_cast<int>(serve(asked.bag(), MSG_DONTWAIT)));
  int status = 0;
  if (::waitpid(child, &status, 0) == child && WIFEXITED(status)) {
    served = static_cast<Served>(WEXITSTATUS(status));
  }
  return served;
}

bool ends_at(int step, Asked& asked) {
  return support::ends_at(step, [&] { (void)serve(asked.bag(), MSG_DONTWAIT); });
}

void ask_all(Asked& asked, std::uint32_t first, std::uint32_t last, bool in_pieces) {
  for (std::uint32_t number = first; number <= last; ++number) {
    ASSERT_TRUE(ask(asked.client(), question(number), in_pieces));
  }
}

void expect_each_answered_once(Asked& asked, std::uint32_t last) {
  UniqueFd came;
  EXPECT_TRUE(read_answers(asked.client(), 1, last, &came));
  EXPECT_TRUE(is_quiet(asked.client())) << "an answer came twice";
}

class ExchangeSteps : public testing::TestWithParam<bool> {};

TEST_P(ExchangeSteps, AnEndAtAnyStepLosesNothingAndDoublesNothing) {
  constexpr std::uint32_t kQuestions = 15;  // all kinds, behind each other
  int step = 1;
  for (;; ++step) {
    SCOPED_TRACE(step);
    Asked asked;
    ask_all(asked, 1, kQuestions, GetParam());
    const bool ended = ends_at(step, asked);
    ASSERT_EQ(serve_to_the_end(asked), Served::kAll);
    expect_each_answered_once(asked, kQuestions);
    if (!ended || HasFailure()) break;
  }
  EXPECT_GT(step, 9 * static_cast<int>(kQuestions)) << "too few steps were seen";
}

TEST_P(ExchangeSteps, NorDoesAnotherEndWhileTheNextProcessTakesOver) {
  constexpr std::uint32_t kQuestions = kSlowToFork ? 1 : 3;
  for (int step = 1;; ++step) {
    bool ended = true;
    for (int next = 1; ended; ++next) {
      SCOPED_TRACE(testing::Message() << step << ", then " << next);
      Asked asked;
      ask_all(asked, 1, kQuestions, GetParam());
      if (!ends_at(step, asked)) return;
      ended = ends_at(next, asked);
      ASSERT_EQ(serve_to_the_end(asked), Served::kAll);
      expect_each_answered_once(asked, kQuestions);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(MessagesInOnePieceOrTwo, ExchangeSteps, testing::Bool());

TEST(Exchange, WaitsForTheRestOfAMessageOverAnEnd) {
  Asked asked;
  const Question half = question(2);
  ASSERT_GT(half.payload_bytes, 20);
  ask_all(asked, 1, 1, false);
  const auto payload = text_of(2, half.payload_bytes);
  ASSERT_EQ(half.brings_descriptor, 0);
  ASSERT_EQ(::send(asked.client(), &half, 7, 0), 7);
  EXPECT_EQ(serve_to_the_end(asked), Served::kAll);
  const auto* const rest = reinterpret_cast<const std::byte*>(&half) + 7;
  ASSERT_EQ(::send(asked.client(), rest, sizeof(half) - 7, 0), sizeof(half) - 7);
  EXPECT_EQ(serve_to_the_end(asked), Served::kAll);
  ASSERT_GT(::send(asked.client(), payload.data(), payload.size(), 0), 0);
  EXPECT_EQ(serve_to_the_end(asked), Served::kAll);
  expect_each_answered_once(asked, 2);
}

/// A connection and its exchange, in one process.
class ExchangeOfOne : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    client_.reset(ends[0]);
    server_.reset(ends[1]);
    auto made = Exchange::begin(server_.get());
    ASSERT_TRUE(made) << made.error().message;
    exchange_.emplace(std::move(*made));
  }

  /// One byte of a message, from the socket to cut().
  bool look() {
    std::byte byte{};
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return exchange_->look(&message, MSG_DONTWAIT) == 1 && exchange_->cut(1) == 0;
  }

  Settled go_on(int witness = -1) {
    Settled settled{};
    UniqueFd answers = UniqueFd::duplicate(exchange_->answers());
    auto next = Exchange::go_on(server_.get(), std::move(answers), &settled, witness);
    EXPECT_TRUE(next);
    if (next) exchange_.emplace(std::move(*next));
    return settled;
  }

  UniqueFd client_;
  UniqueFd server_;
  std::optional<Exchange> exchange_;
};

TEST_F(ExchangeOfOne, CountsHowOftenAMessageWasLookedAt) {
  ASSERT_EQ(::send(client_.get(), "ab", 2, 0), 2);
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(look());
    EXPECT_EQ(exchange_->attempts(), attempt);
    EXPECT_EQ(go_on(), Settled::kAgain);
  }
  ASSERT_TRUE(look());
  EXPECT_EQ(exchange_->finish(), 0);
  EXPECT_EQ(go_on(), Settled::kNothing);
  ASSERT_TRUE(look());
  EXPECT_EQ(exchange_->attempts(), 1U) << "of the next message";
}

TEST_F(ExchangeOfOne, GivesAgainWhatCouldNotBeTaken) {
  ASSERT_EQ(::send(client_.get(), "ab", 2, 0), 2);
  ASSERT_TRUE(look());
  exchange_->unlook();
  ASSERT_TRUE(look());
  EXPECT_EQ(exchange_->attempts(), 1U);
  ASSERT_EQ(exchange_->finish(), 0);
  char next = 0;
  ASSERT_EQ(::recv(server_.get(), &next, 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(next, 'b');
}

TEST_F(ExchangeOfOne, CannotTellOfAnAnswerThatIsSentBesideWithoutAWitness) {
  ASSERT_EQ(::send(client_.get(), "ab", 2, 0), 2);
  ASSERT_TRUE(look());
  exchange_->answer_beside();
  EXPECT_EQ(go_on(), Settled::kDoubtful);
}

TEST_F(ExchangeOfOne, KnowsOfAnAnswerWithADescriptorByItsWitness) {
  for (const bool sent : {false, true}) {
    UniqueFd file(::memfd_create("lent", MFD_CLOEXEC));
    const auto witness = lock_lent(file.get());
    ASSERT_TRUE(witness);
    ASSERT_EQ(::send(client_.get(), "a", 1, 0), 1);
    ASSERT_TRUE(look());
    exchange_->answer_beside();
    UniqueFd peers = sent ? std::move(file) : UniqueFd();
    file.reset();
    EXPECT_EQ(go_on(witness->get()), sent ? Settled::kTakenOut : Settled::kAgain);
    EXPECT_EQ(go_on(witness->get()), sent ? Settled::kNothing : Settled::kAgain);
    if (sent) continue;
    ASSERT_TRUE(look());
    ASSERT_EQ(exchange_->finish(), 0);
  }
}

TEST_F(ExchangeOfOne, KnowsOfAnAnswerBesideOnceItIsFinished) {
  ASSERT_EQ(::send(client_.get(), "ab", 2, 0), 2);
  ASSERT_TRUE(look());
  exchange_->answer_beside();
  ASSERT_EQ(exchange_->finish(), 0);
  EXPECT_EQ(go_on(), Settled::kNothing);
}

std::vector<std::byte> all_of(int socket) {
  std::vector<std::byte> all;
  std::array<std::byte, 4096> piece{};
  for (;;) {
    const ssize_t got = ::recv(socket, piece.data(), piece.size(), MSG_DONTWAIT);
    if (got <= 0) return all;
    all.insert(all.end(), piece.begin(), piece.begin() + got);
  }
}

/// Linux 6.1 takes an answer though the socket is full; later ones refuse it.
TEST_F(ExchangeOfOne, AnswersAPeerThatReadsAgain) {
  constexpr timeval kShort{.tv_sec = 0, .tv_usec = 1000};
  ::setsockopt(server_.get(), SOL_SOCKET, SO_SNDTIMEO, &kShort, sizeof(kShort));
  ASSERT_EQ(::send(client_.get(), "a", 1, 0), 1);
  ASSERT_TRUE(look());
  const std::array<std::byte, 4096> filler{};
  std::size_t filled = 0;
  for (ssize_t sent = 0; sent >= 0; filled += static_cast<std::size_t>(std::max(sent, 0L))) {
    sent = ::send(server_.get(), filler.data(), filler.size(), MSG_DONTWAIT);
  }
  const auto answer = text_of(1, 300);
  const int refused = exchange_->answer(answer);
  std::vector<std::byte> read = all_of(client_.get());
  if (refused != 0) {
    EXPECT_EQ(refused, EAGAIN);
    EXPECT_EQ(read.size(), filled) << "nothing of it was sent";
    EXPECT_EQ(go_on(), Settled::kAgain);
    ASSERT_TRUE(look());
    EXPECT_EQ(exchange_->answer(answer), 0);
    std::ranges::copy(all_of(client_.get()), std::back_inserter(read));
  }
  EXPECT_EQ(go_on(), Settled::kTakenOut);
  ASSERT_EQ(read.size(), filled + answer.size());
  EXPECT_TRUE(std::ranges::equal(std::span(read).last(answer.size()), answer));
  EXPECT_TRUE(is_quiet(client_.get()));
}

TEST_F(ExchangeOfOne, SaysThatThePeerIsGone) {
  ASSERT_EQ(::send(client_.get(), "a", 1, 0), 1);
  ASSERT_TRUE(look());
  client_.reset();
  EXPECT_EQ(exchange_->answer(text_of(1, 10)), EPIPE);
}

TEST_F(ExchangeOfOne, GoesRoundTheFileWithoutSpoilingWhatIsUnread) {
  std::size_t unread = 0;
  std::uint32_t oldest = 1;
  for (std::uint32_t number = 1; number <= 2000; ++number) {
    ASSERT_EQ(::send(client_.get(), "a", 1, 0), 1);
    ASSERT_TRUE(look());
    const std::size_t bytes = 1 + number * 37 % 300;
    ASSERT_EQ(exchange_->answer(text_of(number, bytes)), 0);
    ASSERT_EQ(exchange_->finish(), 0);
    unread += bytes;
    for (; unread > 30'000; ++oldest) {
      std::vector<std::byte> read(1 + oldest * 37 % 300);
      unread -= read.size();
      ASSERT_EQ(::recv(client_.get(), read.data(), read.size(), MSG_WAITALL),
                static_cast<ssize_t>(read.size()));
      ASSERT_EQ(read, text_of(oldest, read.size()));
    }
  }
}

TEST_F(ExchangeOfOne, UsesNoOtherFileForItsAnswers) {
  Settled settled{};
  EXPECT_FALSE(Exchange::go_on(server_.get(), UniqueFd::duplicate(client_.get()), &settled));
  UniqueFd small(::memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_FALSE(Exchange::go_on(server_.get(), std::move(small), &settled));
  EXPECT_FALSE(Exchange::go_on(client_.get(), UniqueFd::duplicate(exchange_->answers()), &settled))
      << "a socket without an exchange";
}

}  // namespace
}  // namespace vballoon::keep
