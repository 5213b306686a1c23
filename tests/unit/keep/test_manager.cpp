// SPDX-License-Identifier: BSD-3-Clause
//
// Who started this process, and what may be asked of him.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "fake_manager.hpp"
#include "keep/manager.hpp"
#include "keep/notice.hpp"

namespace vballoon::keep {
namespace {

/// A process that does nothing.
class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~Sleeper() { end(); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void end() {
    if (std::exchange(ended_, true)) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
  bool ended_ = false;
};

std::string refusal(const Manager& manager) {
  const auto asked = manager.ask_for_next();
  return asked ? "" : asked.error().message;
}

TEST(Manager, IsNobodyWhereNobodyListens) {
  ::unsetenv("NOTIFY_SOCKET");
  Notifier none;
  const Manager manager(none);
  EXPECT_EQ(manager.kind(), Manager::Kind::kNobody);
  EXPECT_FALSE(manager.gone());
  EXPECT_NE(refusal(manager).find("stop this one"), std::string::npos);
}

TEST(Manager, ThatIsNoKeeperIsAskedInItsOwnWay) {
  for (const char* const name : {"notify", "keeper", "keeper-", "keeper-12x", "keeper-0"}) {
    FakeManager fake(name);
    Notifier notifier;
    const Manager manager(notifier);
    EXPECT_EQ(manager.kind(), Manager::Kind::kOther) << name;
    EXPECT_NE(refusal(manager).find("systemctl restart"), std::string::npos);
    Packet packet;
    EXPECT_EQ(fake.received(&packet), "") << "it was told something";
  }
}

TEST(Manager, ThatIsAKeeperIsAskedByANotice) {
  const Sleeper keeper;
  FakeManager fake("keeper-" + std::to_string(keeper.pid()));
  Notifier notifier;
  const Manager manager(notifier);
  EXPECT_EQ(manager.kind(), Manager::Kind::kKeeper);
  EXPECT_EQ(manager.keeper(), keeper.pid());
  EXPECT_EQ(refusal(manager), "");
  Packet packet;
  const std::string told = fake.received(&packet);
  EXPECT_TRUE(read_notice(told).restart) << told;
  EXPECT_FALSE(read_notice("READY=1\nX_VBALLOON_RESTART=0").restart);
}

TEST(Manager, ThatEndsIsSeenToEnd) {
  Sleeper keeper;
  FakeManager fake("keeper-" + std::to_string(keeper.pid()));
  Notifier notifier;
  Manager manager(notifier);
  pollfd end{manager.end(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 0), 0);
  keeper.end();
  EXPECT_EQ(::poll(&end, 1, 1000), 1);
  manager.give_up();
  EXPECT_FALSE(notifier.listened());
  EXPECT_NE(refusal(manager).find("vballoon-keeper has ended"), std::string::npos);
}

TEST(Manager, ThatHasEndedBeforeIsGoneFromTheStart) {
  Sleeper keeper;
  FakeManager fake("keeper-" + std::to_string(keeper.pid()));
  keeper.end();
  Notifier notifier;
  const Manager manager(notifier);
  EXPECT_TRUE(manager.gone());
  EXPECT_FALSE(notifier.listened());
}

}  // namespace
}  // namespace vballoon::keep
