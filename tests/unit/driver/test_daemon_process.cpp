// SPDX-License-Identifier: BSD-3-Clause
//
// The launcher, with programs that every host has in the daemon's place.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/unique_fd.hpp"
#include "driver/child_process.hpp"
#include "driver/daemon_process.hpp"
#include "driver/process_figures.hpp"
#include "driver/temporary_folder.hpp"

namespace vballoon::driver {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{20'000};
constexpr milliseconds kShort{50};

class ChildProcessTest : public testing::Test {
 protected:
  void shell(const std::string& script, const std::function<void()>& before = {}) {
    ASSERT_TRUE(child_.start({"/bin/sh", "-c", script}, output_, before));
  }

  TemporaryFolder folder_;
  std::filesystem::path output_ = folder_.path() / "output";
  ChildProcess child_;
};

TEST_F(ChildProcessTest, KeepsBothStreamsAndHowItEnded) {
  shell("echo one; echo two >&2; exit 3");
  ASSERT_TRUE(child_.wait(kLong));
  EXPECT_EQ(text_of(output_), "one\ntwo\n");
  EXPECT_EQ(child_.ending(), "exit status 3");
  ASSERT_TRUE(child_.wait_status());
  EXPECT_EQ(WEXITSTATUS(*child_.wait_status()), 3);
  EXPECT_EQ(child_.pid(), -1);
}

TEST_F(ChildProcessTest, AppendsWhatTheNextOneSays) {
  shell("echo one");
  ASSERT_TRUE(child_.wait(kLong));
  shell("echo two");
  EXPECT_EQ(child_.ending(), "") << "of the one that runs";
  ASSERT_TRUE(child_.wait(kLong));
  EXPECT_EQ(text_of(output_), "one\ntwo\n");
}

TEST_F(ChildProcessTest, EndsByASignal) {
  shell("exec sleep 1000");
  EXPECT_FALSE(child_.wait(kShort));
  EXPECT_TRUE(child_.running());
  child_.send(SIGTERM);
  ASSERT_TRUE(child_.wait(kLong));
  EXPECT_EQ(child_.ending(), "signal 15");
}

TEST_F(ChildProcessTest, IsGoneOnceItIsKilled) {
  shell("trap '' TERM; while :; do sleep 1; done");
  const pid_t pid = child_.pid();
  child_.kill();
  EXPECT_FALSE(child_.running());
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(ChildProcessTest, SaysThatItsProgramIsNotThere) {
  ASSERT_TRUE(child_.start({folder_.path() / "nothing"}, output_));
  ASSERT_TRUE(child_.wait(kLong));
  EXPECT_EQ(child_.ending(), "exit status 127");
}

TEST_F(ChildProcessTest, DoesSomethingFirst) {
  shell("pwd", [] { static_cast<void>(::chdir("/")); });
  ASSERT_TRUE(child_.wait(kLong));
  EXPECT_EQ(text_of(output_), "/\n");
}

TEST(DaemonProcess, GivesConfigurationSocketsAndArguments) {
  const TemporaryFolder folder;
  const std::string program = folder.path() / "program";
  std::ofstream(program) << "#!/bin/sh\necho \"$@\"\ncat \"$5\"\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  DaemonProcess daemon(program);
  ASSERT_TRUE(daemon.start(
      {.config = daemon.device_tables(1, "weight = 7\n"), .arguments = {"--state", "somewhere"}}));
  const auto ready = daemon.wait_until_ready(kLong);
  ASSERT_FALSE(ready) << "it ends without an answer";
  const std::string file = daemon.folder() / "toml";
  EXPECT_EQ(daemon.log(), "--dev --rpc " + daemon.rpc_socket() + " --config " + file +
                              " --state somewhere\n[[device]]\nname = \"vm0\"\nsocket = \"" +
                              daemon.socket("vm0") + "\"\nweight = 7\n");
  EXPECT_NE(ready.error().message.find("weight = 7"), std::string::npos) << "its last words";
  EXPECT_NE(ready.error().message.find("exit status 0"), std::string::npos);
  EXPECT_FALSE(daemon.call("version", rpc::Json::object(), kShort));
}

TEST(ProcessFigures, OfThisProcess) {
  const auto files = open_files(::getpid());
  const UniqueFd another(::dup(STDERR_FILENO));
  int before = 0, now = 0;
  for (const auto& [kind, count] : files) before += count;
  for (const auto& [kind, count] : open_files(::getpid())) now += count;
  EXPECT_EQ(now, before + 1);
  EXPECT_GE(thread_count(::getpid()), 1U);
  EXPECT_GT(resident(::getpid()).own, 0U);
  EXPECT_EQ(resident(::getpid()).guest, 0U);
  std::string comm;
  std::getline(std::ifstream("/proc/self/comm"), comm);
  const std::array<std::string_view, 2> names{"no such thread", comm};
  const auto thread = thread_named(::getpid(), names);
  ASSERT_TRUE(thread);
  EXPECT_GT(on_cpu_ns(*thread).value_or(0), 0U);
  EXPECT_FALSE(thread_named(::getpid(), std::span(names).first(1)));
}

}  // namespace
}  // namespace vballoon::driver
