// SPDX-License-Identifier: BSD-3-Clause
//
// Source: sd_notify(3), sd_watchdog_enabled(3).
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "base/unique_fd.hpp"
#include "driver/temporary_folder.hpp"
#include "keep/notifier.hpp"

namespace vballoon::keep {
namespace {

using driver::TemporaryFolder;

/// What a service manager listens on. A path that begins with '@' is abstract.
UniqueFd listen_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM, 0));
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), bytes), 0);
  return fd;
}

std::string received(const UniqueFd& fd) {
  std::array<char, 256> buffer;
  const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  return n < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(n));
}

TEST(Notifier, SendsToTheSocketOfTheEnvironment) {
  const TemporaryFolder folder;
  const UniqueFd manager = listen_on(folder.path("notify"));
  ::setenv("NOTIFY_SOCKET", folder.path("notify").c_str(), 1);
  const Notifier notifier;
  notifier.send("READY=1");
  EXPECT_EQ(received(manager), "READY=1");
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "not for children";
}

TEST(Notifier, KnowsAbstractSockets) {
  const std::string name = "@vballoon-test-" + std::to_string(::getpid());
  const UniqueFd manager = listen_on(name);
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  Notifier().send("STOPPING=1");
  EXPECT_EQ(received(manager), "STOPPING=1");
}

TEST(Notifier, WithoutAManagerDoesNothing) {
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  const Notifier notifier;
  notifier.send("READY=1");
  EXPECT_FALSE(notifier.watchdog_interval());
}

TEST(Notifier, FeedsTheWatchdogTwiceAsOftenAsAsked) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::unsetenv("WATCHDOG_PID");
  EXPECT_EQ(Notifier().watchdog_interval(), std::chrono::seconds(15));
}

TEST(Notifier, LeavesSomebodyElsesWatchdogAlone) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(Notifier().watchdog_interval());
}

}  // namespace
}  // namespace vballoon::keep
