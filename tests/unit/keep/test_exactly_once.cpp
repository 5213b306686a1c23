// SPDX-License-Identifier: BSD-3-Clause
//
// A server that is killed at random instants, thousands of times, while its peer asks.
// VBALLOON_KEEP_KILLS says how often; 2,000 by default, fewer with a sanitizer.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <random>

#include "asker.hpp"

namespace vballoon::keep {
namespace {

/// Between the processes of a test.
struct Board {
  std::atomic<bool> enough{false};
  std::atomic<std::uint32_t> asked{0};
};

Board& shared_board() {
  void* const at =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return *new (at) Board;
}

unsigned kills_wanted() {
  const char* const text = std::getenv("VBALLOON_KEEP_KILLS");
  if (text == nullptr) return kSlowToFork ? 200 : 2000;
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

/// Never outlives the test.
template <typename Body>
pid_t start(const Body& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_IGN);
  ::_exit(body());
}

/// Asks a few questions at a time, in pieces or not, and reads their answers.
int ask_until_enough(Asked& asked, Board& board) {
  std::mt19937 random(7);
  std::uint32_t number = 1;
  UniqueFd came;
  while (!board.enough.load()) {
    const std::uint32_t last = number + static_cast<std::uint32_t>(random() % 6);
    for (std::uint32_t i = number; i <= last; ++i) {
      if (!ask(asked.client(), question(i), random() % 2 == 0)) return 1;
    }
    if (!read_answers(asked.client(), number, last, &came)) return 2;
    board.asked.store(last);
    number = last + 1;
  }
  return 0;
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// @return how the server ended, where it did before it was killed.
std::optional<int> kill_a_server(Asked& asked, std::chrono::microseconds after) {
  const pid_t server = start([&] { return static_cast<int>(serve(asked.bag(), 0)); });
  ::usleep(static_cast<useconds_t>(after.count()));
  ::kill(server, SIGKILL);
  int status = 0;
  ::waitpid(server, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return std::nullopt;
  return exit_status(status);
}

TEST(ExactlyOnce, AServerIsKilledAgainAndAgain) {
  Asked asked;
  Board& board = shared_board();
  const pid_t client = start([&] { return ask_until_enough(asked, board); });
  std::mt19937 random(std::random_device{}());
  double pause_us = 600;
  const unsigned kills = kills_wanted();
  for (unsigned i = 0; i < kills; ++i) {
    // On a slow machine a server gets the time for a few questions, too.
    if (i % 20 == 19 && board.asked.load() < 4 * i) pause_us *= 1.5;
    const std::chrono::microseconds pause(
        static_cast<int>(std::exponential_distribution(1 / pause_us)(random)));
    const auto ended = kill_a_server(asked, pause);
    ASSERT_FALSE(ended) << "kill " << i << ": a message was lost or came twice: " << *ended;
  }
  board.enough.store(true);
  int status = 0;
  const pid_t last = start([&] { return static_cast<int>(serve(asked.bag(), 0)); });
  ASSERT_EQ(::waitpid(client, &status, 0), client);
  EXPECT_EQ(exit_status(status), 0) << "an answer was lost, came twice or was another's";
  EXPECT_TRUE(is_quiet(asked.client())) << "an answer came twice";
  ::kill(last, SIGKILL);
  ::waitpid(last, nullptr, 0);
  RecordProperty("questions", static_cast<int>(board.asked.load()));
  EXPECT_GT(board.asked.load(), kills / 4) << "the server got hardly anywhere";
}

}  // namespace
}  // namespace vballoon::keep
