// SPDX-License-Identifier: BSD-3-Clause
//
// The service manager hears nothing any more once an lcore stands still, whichever it is.
// Source: sd_notify(3), WATCHDOG=1; ptrace(2), which stops one thread of a child and no other.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;

/// What started the daemon and wants to hear from it ten times a second.
class ServiceManager {
 public:
  ServiceManager() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::string path = (folder_.path() / "notify").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "200000", 1);
  }
  ~ServiceManager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// How often it was fed since it was last asked.
  [[nodiscard]] unsigned fed() const {
    unsigned times = 0;
    std::array<char, 64> text{};
    for (ssize_t n = 0; (n = receive(&text)) >= 0;) {
      if (std::string_view(text.data(), static_cast<std::size_t>(n)) == "WATCHDOG=1") ++times;
    }
    return times;
  }

 private:
  [[nodiscard]] ssize_t receive(std::array<char, 64>* text) const {
    return ::recv(fd_.get(), text->data(), text->size(), MSG_DONTWAIT);
  }

  TemporaryFolder folder_;
  UniqueFd fd_;
};

/// DPDK names its threads by their lcore: "rte-worker-1", "lcore-worker-1" or "dpdk-worker1".
std::optional<pid_t> thread_of_lcore(pid_t daemon, unsigned lcore) {
  const std::string end = std::to_string(lcore);
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(daemon) + "/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    const bool worker = name.find("worker") != std::string::npos;
    if (worker && name.find_last_not_of("0123456789") + 1 + end.size() == name.size() &&
        name.ends_with(end)) {
      return std::stoi(task.path().filename());
    }
  }
  return std::nullopt;
}

/// The only thread of a child that does not run, for as long as this lives.
class Frozen {
 public:
  explicit Frozen(pid_t thread) : thread_(thread) {
    held_ = ::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0;
    if (!held_) return;
    EXPECT_EQ(::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr), 0);
    EXPECT_EQ(::waitpid(thread, nullptr, __WALL), thread);
  }
  ~Frozen() {
    if (held_) ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  [[nodiscard]] bool held() const noexcept { return held_; }

 private:
  pid_t thread_;
  bool held_ = false;
};

TEST(Watchdog, IsFedOnlyWhileEveryLcoreMakesProgress) {
  const ServiceManager manager;
  Daemon daemon({}, "[reclaim]\nlcores = [0]\n");
  const auto fed_again = [&manager] { return eventually([&] { return manager.fed() != 0; }); };
  ASSERT_TRUE(fed_again());
  unsigned checked = 0;
  const Json list = daemon.call("lcore.list", Json::object());
  for (const Json& lcore : list.at("lcores")) {
    if (lcore.at("role") == "control") continue;
    SCOPED_TRACE(lcore.dump());
    const auto thread = thread_of_lcore(daemon.pid(), lcore.at("lcore").get<unsigned>());
    ASSERT_TRUE(thread);
    {
      const Frozen frozen(*thread);
      if (!frozen.held()) GTEST_SKIP() << "ptrace is not allowed here";
      std::this_thread::sleep_for(milliseconds(250));  // what it did before counts once more
      static_cast<void>(manager.fed());
      std::this_thread::sleep_for(milliseconds(500));
      EXPECT_EQ(manager.fed(), 0U);
    }
    EXPECT_TRUE(fed_again());
    ++checked;
  }
  EXPECT_EQ(checked, 2U) << "a poll lcore and a reclaim lcore";
}

}  // namespace
}  // namespace vballoon::model
