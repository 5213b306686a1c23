// SPDX-License-Identifier: BSD-3-Clause
//
// The real vballoon-keeper, and a daemon that does as it is told (kept_daemon.cpp).
// Source: vballoon-keeper(8); sd_notify(3).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "driver/child_process.hpp"
#include "driver/temporary_folder.hpp"
#include "keep/packet.hpp"

namespace vballoon::keep {
namespace {

using namespace std::chrono_literals;

class KeeperTest : public testing::Test {
 protected:
  using Words = std::vector<std::string>;

  void SetUp() override {
    ASSERT_NE(std::getenv("VBALLOON_KEEPER"), nullptr) << "run by meson, or set it";
    ASSERT_NE(std::getenv("VBALLOON_KEPT_DAEMON"), nullptr) << "run by meson, or set it";
    program_ = std::getenv("VBALLOON_KEPT_DAEMON");
  }

  void TearDown() override {
    keeper_.send(SIGTERM);
    EXPECT_TRUE(keeper_.wait(5s)) << output();
  }

  /// @param plan  what the daemon does, a line a start.
  void start(const Words& plan, Words options = {}) {
    std::ofstream file(folder_.path() / "plan");
    for (const std::string& line : plan) file << line << "\n";
    file.close();
    options.insert(options.begin(), std::getenv("VBALLOON_KEEPER"));
    options.insert(options.end(), {program_, folder_.path().string()});
    ASSERT_TRUE(keeper_.start(options, output_file(), [this] {
      ::setenv("RUNTIME_DIRECTORY", folder_.path().c_str(), 1);
      ::unsetenv("NOTIFY_SOCKET");
      if (!manager_.empty()) ::setenv("NOTIFY_SOCKET", manager_.c_str(), 1);
    }));
  }

  [[nodiscard]] std::string output_file() const { return folder_.path("output"); }
  [[nodiscard]] std::string output() const { return driver::text_of(output_file()); }
  [[nodiscard]] std::string log() const { return driver::text_of(folder_.path("log")); }

  /// Until the daemon has told this line, after all that was told before.
  [[nodiscard]] testing::AssertionResult told(const std::string& line) {
    for (int i = 0; i < 2000; ++i) {
      const std::string all = log();
      const std::size_t at = all.find(line + "\n", told_);
      if (at != std::string::npos) {
        told_ = at + line.size();
        return testing::AssertionSuccess();
      }
      std::this_thread::sleep_for(5ms);
    }
    return testing::AssertionFailure() << "not told: " << line << "\n" << log() << output();
  }

  /// Of a keeper that ends by itself, or by what it was sent.
  [[nodiscard]] std::string ending() {
    return keeper_.wait(10s) ? keeper_.ending() : "none: " + log() + output();
  }

  driver::TemporaryFolder folder_;
  driver::ChildProcess keeper_;
  std::string program_;
  std::string manager_;
  std::size_t told_ = 0;
};

TEST_F(KeeperTest, KeepsWhatIsStoredOverACrash) {
  start({"ready store:a store:b crash", "take:a take:b"});
  EXPECT_TRUE(told("start: "));
  EXPECT_TRUE(told("start: a b"));
  EXPECT_TRUE(told("a = a"));
  EXPECT_TRUE(told("b = b"));
  keeper_.send(SIGTERM);
  EXPECT_EQ(ending(), "exit status 0");
  EXPECT_TRUE(told("term")) << "the daemon ended in order";
}

TEST_F(KeeperTest, KeepsWhatWasStoredInTheLastMoment) {
  Words plan;
  std::string names;
  for (int i = 10; i < 30; ++i) plan.push_back(fmt::format("ready store:n{} crash", i));
  for (int i = 10; i < 30; ++i) names += fmt::format(" n{}", i);
  start(plan, {"--steady", "0"});
  EXPECT_TRUE(told("start:" + names));
}

TEST_F(KeeperTest, KeepsABagWithAllThatIsInIt) {
  start({"ready bag:record crash", "crash", "look"});
  EXPECT_TRUE(told("record, in the bag"));
}

TEST_F(KeeperTest, ForgetsWhatIsRemoved) {
  start({"ready store:a store:b store:c remove:b settle crash"});
  EXPECT_TRUE(told("settled"));
  EXPECT_TRUE(told("start: a c"));
}

TEST_F(KeeperTest, DropsAtAHangUpWhatIsPolledAndNothingElse) {
  start({"ready polled:p unpolled:u settle crash", "settle exit:1"});
  EXPECT_TRUE(told("settled"));
  EXPECT_TRUE(told("settled"));
  EXPECT_TRUE(told("start: u"));
}

TEST_F(KeeperTest, IsRidOfWhatTheNextDaemonDoesNotKnow) {
  start({"ready store:twice store:twice store:unknown store:known crash",
         "take:known take:twice discard settle crash"});
  EXPECT_TRUE(told("start: known twice twice unknown"));
  EXPECT_TRUE(told("known = known"));
  EXPECT_TRUE(told("twice = none"));
  EXPECT_TRUE(told("start: known"));
}

TEST_F(KeeperTest, EndsAsADaemonThatWasNeverReady) {
  start({"exit:3"});
  EXPECT_EQ(ending(), "exit status 3");
  start({"crash"});
  EXPECT_EQ(ending(), "exit status 137");
  program_ = folder_.path("no program");
  start({});
  EXPECT_EQ(ending(), "exit status 127");
  EXPECT_NE(output().find("cannot start " + program_), std::string::npos);
}

TEST_F(KeeperTest, StartsOneAgainThatWasReady) {
  start({"ready store:a exit:2", "exit:2"});
  EXPECT_TRUE(told("start: "));
  EXPECT_TRUE(told("start: a"));
  EXPECT_TRUE(told("start: a"));
  EXPECT_NE(output().find("exit status 2"), std::string::npos);
}

TEST_F(KeeperTest, EndsWithADaemonThatEndsInOrder) {
  start({"ready exit:0"});
  EXPECT_EQ(ending(), "exit status 0");
}

TEST_F(KeeperTest, RestartsOnRequestWithTheProgramThatIsThereThen) {
  const std::string link = folder_.path("daemon");
  std::filesystem::create_symlink(program_, link);
  program_ = link;
  start({"ready store:a settle", "settle"});
  EXPECT_TRUE(told("settled"));
  keeper_.send(SIGUSR1);
  EXPECT_TRUE(told("term"));
  EXPECT_TRUE(told("start: a"));
  EXPECT_TRUE(told("settled"));
  std::filesystem::remove(link);
  std::filesystem::create_symlink("/bin/true", link);
  keeper_.send(SIGUSR1);
  EXPECT_EQ(ending(), "exit status 0") << "/bin/true";
}

TEST_F(KeeperTest, StartsTheNextOneForADaemonThatAskedForItAndEnded) {
  start({"ready store:a ask exit:0", "take:a settle"});
  EXPECT_TRUE(told("start: a"));
  EXPECT_TRUE(told("a = a"));
  EXPECT_TRUE(told("settled")) << "it is not told to end, for the one before has asked";
}

TEST_F(KeeperTest, PassesOnARequestToReload) {
  start({"ready settle"});
  EXPECT_TRUE(told("settled"));
  keeper_.send(SIGHUP);
  EXPECT_TRUE(told("hup"));
  EXPECT_TRUE(keeper_.running());
}

TEST_F(KeeperTest, WaitsLongerFromCrashToCrash) {
  start({"ready crash", "crash", "crash", "crash", "crash"}, {"--longest-pause", "0.3"});
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(told("start: "));
  std::size_t at = 0;
  for (const int pause : {0, 100, 200, 300, 300}) {
    at = output().find(fmt::format("starts in {} ms", pause), at);
    ASSERT_NE(at, std::string::npos) << output();
    ++at;
  }
}

TEST_F(KeeperTest, StartsOneAtOnceThatWasSteady) {
  start({"ready crash", "crash", "crash"}, {"--steady", "0"});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(told("start: "));
  EXPECT_EQ(output().find("starts in 1"), std::string::npos) << output();
}

TEST_F(KeeperTest, CanBeEndedWhileThereIsNoDaemon) {
  start({"ready crash", "crash"}, {"--longest-pause", "60"});
  EXPECT_TRUE(told("start: "));
  EXPECT_TRUE(told("start: "));
  std::this_thread::sleep_for(20ms);
  keeper_.send(SIGTERM);
  EXPECT_EQ(ending(), "exit status 0");
}

TEST_F(KeeperTest, ListensToItsDaemonAlone) {
  start({"ready pid settle"});
  EXPECT_TRUE(told("settled"));
  std::string path;
  for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
    if (file.is_socket()) path = file.path();
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  char text[] = "FDSTORE=1\nFDNAME=mine";
  const iovec part{text, sizeof(text) - 1};
  const Destination to{socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)};
  ASSERT_EQ(send_packet(to, {&part, 1}, std::array{socket.get()}, 0), 0);
  EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms(077),
            std::filesystem::perms::none);
  told_ = 0;
  keeper_.send(SIGUSR1);
  EXPECT_TRUE(told("term"));
  EXPECT_TRUE(told("start: "));
}

TEST_F(KeeperTest, KeepsNoMoreThanItIsAllowed) {
  start({"ready store:a store:b store:c store:d remove:b store:e crash"}, {"--max", "3"});
  EXPECT_TRUE(told("start: a c e"));
  EXPECT_NE(output().find("'d' is not kept: 3 others are, which is the limit"), std::string::npos)
      << output();
}

TEST_F(KeeperTest, KeepsNothingUnderANameThatIsNone) {
  start({"ready store:with_Capitals store:" + std::string(33, 'x') + " store: crash"});
  EXPECT_TRUE(told("start: "));
  EXPECT_TRUE(told("start: "));
}

TEST_F(KeeperTest, KeepsThousands) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t count = std::min<rlim_t>(4000, limit.rlim_max / 2 - 100);
  ASSERT_GT(count, 1000U) << "ulimit -Hn is too low for a keeper of thousands";
  std::string plan = "ready";
  for (rlim_t i = 1; i <= count; ++i) plan += fmt::format(" store:name-of-a-descriptor-{}", i);
  const std::string last = fmt::format("name-of-a-descriptor-{}", count);
  start({plan + " settle crash", "take:" + last});
  EXPECT_TRUE(told("settled"));
  EXPECT_TRUE(told(fmt::format("{} = {}", last, last)));
}

TEST_F(KeeperTest, TellsItsOwnManagerHowTheDaemonIs) {
  manager_ = folder_.path("manager");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  manager_.copy(address.sun_path, manager_.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::setenv("WATCHDOG_USEC", "8000000", 1);
  start({"ready store:a watchdog settle"});
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_TRUE(told("watchdog 4000"));
  EXPECT_TRUE(told("settled"));
  std::array<char, 256> text{};
  const ssize_t got = ::recv(socket.get(), text.data(), text.size(), MSG_DONTWAIT);
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(got)), "READY=1\nSTATUS=well\n");
  EXPECT_EQ(::recv(socket.get(), text.data(), text.size(), MSG_DONTWAIT), -1) << text.data();
}

TEST_F(KeeperTest, DoesNotTakeTheDaemonWithIt) {
  start({"ready pid settle"});
  EXPECT_TRUE(told("settled"));
  const auto daemon = static_cast<pid_t>(std::stoi(log().substr(log().find("pid ") + 4)));
  keeper_.kill();
  EXPECT_EQ(::kill(daemon, SIGHUP), 0) << "it is there";
  EXPECT_TRUE(told("hup"));
  EXPECT_EQ(::kill(daemon, SIGTERM), 0);
  EXPECT_TRUE(told("term"));
}

TEST_F(KeeperTest, WantsADaemonAndKnownOptions) {
  const auto run = [&](Words words) {
    words.insert(words.begin(), std::getenv("VBALLOON_KEEPER"));
    EXPECT_TRUE(keeper_.start(words, output_file()));
    return ending();
  };
  EXPECT_EQ(run({}), "exit status 2");
  EXPECT_EQ(run({"--mox", "3", "true"}), "exit status 2");
  EXPECT_EQ(run({"--max", "0", "true"}), "exit status 2");
  EXPECT_NE(output().find("which daemon is to be started?"), std::string::npos);
  EXPECT_NE(output().find("unknown option '--mox'"), std::string::npos);
}

}  // namespace
}  // namespace vballoon::keep
