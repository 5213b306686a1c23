// SPDX-License-Identifier: BSD-3-Clause
//
// Listening sockets outlive the daemon: a VMM that starts while none runs waits, and is served by
// the next one.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "harness/kept_daemon.hpp"
#include "harness/raw_vmm.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

bool is_answered(RawVmm& vmm) {
  return vmm.send(kGetFeatures) && vmm.socket().receive(driver::Deadline(kOverARestart));
}

ino_t inode_of(const std::string& path) {
  struct stat file {};
  return ::lstat(path.c_str(), &file) == 0 ? file.st_ino : 0;
}

/// Without waiting: a queue that is full takes no more.
UniqueFd knock(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.reset();
  return fd;
}

std::string table(const std::string& name, const std::string& socket, const std::string& more) {
  return fmt::format("[[device]]\nname = \"{}\"\nsocket = \"{}\"\n{}", name, socket, more);
}

TEST(KeptDoors, AVmmThatComesWhileThereIsNoDaemonIsServedByTheNextOne) {
  KeptDaemon daemon({"vm0", "vm1"});
  const auto other = daemon.start("vm1");
  other->step();
  const ino_t inode = inode_of(daemon.socket("vm0"));
  for (int round = 0; round < 2; ++round) {
    std::optional<driver::MessageSocket> socket;
    daemon.while_away([&] { socket.emplace(daemon.connect("vm0")); });
    const auto vm = daemon.start_on(*std::move(socket), "vm0");
    vm->step();
    vm->expect_whole();
    other->step();
    other->expect_whole();
    EXPECT_EQ(inode_of(daemon.socket("vm0")), inode) << "the socket is another one";
  }
}

TEST(KeptDoors, AnUpgradeTurnsNobodyAwayEither) {
  KeptDaemon daemon({"vm0"});
  const ino_t inode = inode_of(daemon.socket("vm0"));
  daemon.upgrade();
  EXPECT_EQ(inode_of(daemon.socket("vm0")), inode);
  RawVmm vmm(daemon.connect("vm0"));
  EXPECT_TRUE(is_answered(vmm));
}

/// One of them is served, one waits for its place, and nobody else hears of them.
TEST(KeptDoors, AFloodMeanwhileHarmsNobody) {
  KeptDaemon daemon({"vm0", "vm1"});
  const auto other = daemon.start("vm1");
  other->step();
  std::vector<UniqueFd> flood;
  daemon.while_away([&] {
    for (int i = 0; i < 400; ++i) {
      if (UniqueFd one = knock(daemon.socket("vm0")); one.valid()) flood.push_back(std::move(one));
    }
  });
  EXPECT_GT(flood.size(), 100U);
  EXPECT_LT(flood.size(), 400U);
  other->step();
  other->expect_whole();
  flood.clear();
  EXPECT_TRUE(eventually([&] { return daemon.show("vm0").at("state") == "waiting"; }));
  const auto vm = daemon.start("vm0");
  vm->step();
  vm->expect_whole();
}

TEST(KeptDoors, ThoseThatGaveUpMeanwhileAreNotServed) {
  KeptDaemon daemon({"vm0"});
  daemon.while_away([&] {
    for (int i = 0; i < 3; ++i) (void)knock(daemon.socket("vm0"));
  });
  const auto vm = daemon.start("vm0");
  vm->step();
  vm->expect_whole();
}

TEST(KeptDoors, ASocketWhoseFileIsGoneIsMadeAnew) {
  KeptDaemon daemon({"vm0", "vm1"});
  const auto other = daemon.start("vm1");
  other->step();
  daemon.while_away([&] { fs::remove(daemon.socket("vm0")); });
  RawVmm vmm(daemon.connect("vm0"));
  EXPECT_TRUE(is_answered(vmm));
  other->step();
  other->expect_whole();
}

TEST(KeptDoors, OfARemovedDeviceNothingIsLeft) {
  KeptDaemon daemon({"vm0", "vm1"});
  daemon.call("device.remove", {{"name", "vm0"}});
  EXPECT_FALSE(fs::exists(daemon.socket("vm0")));
  daemon.while_away([&] { EXPECT_FALSE(knock(daemon.socket("vm0")).valid()); });
  // The configuration has it still.
  RawVmm vmm(daemon.connect("vm0"));
  EXPECT_TRUE(is_answered(vmm));
}

/// The device has another name, another path, or none of both.
TEST(KeptDoors, AConfigurationThatChangedIsFollowed) {
  const driver::TemporaryFolder outer;
  const std::string first = outer.path() / "first.sock";
  const std::string second = outer.path() / "second.sock";
  KeptDaemon daemon({}, {.config = table("vm0", first, "")});
  const ino_t inode = inode_of(first);
  daemon.configure(table("renamed", first, ""));
  std::optional<RawVmm> vmm;
  daemon.while_away([&] { vmm.emplace(first); });
  EXPECT_TRUE(is_answered(*vmm));
  EXPECT_EQ(daemon.show("renamed").at("state"), "connected");
  EXPECT_EQ(inode_of(first), inode) << "the socket is another one";
  daemon.configure(table("renamed", second, ""));
  daemon.replace(SIGKILL);
  EXPECT_FALSE(fs::exists(first));
  RawVmm at_second(second);
  daemon.configure(table("other", first, ""));
  daemon.replace(SIGKILL);
  EXPECT_FALSE(fs::exists(second));
  RawVmm at_first(first);
  EXPECT_TRUE(is_answered(at_first));
}

TEST(KeptDoors, AnotherGroupInTheConfigurationIsThatOfTheFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, who may give a file to any group";
  const driver::TemporaryFolder outer;
  const std::string path = outer.path() / "vm.sock";
  const auto group_of = [&path] {
    struct stat file {};
    ::lstat(path.c_str(), &file);
    return file.st_gid;
  };
  KeptDaemon daemon({}, {.config = table("vm0", path, "")});
  const gid_t own = group_of();
  daemon.configure(table("vm0", path, fmt::format("group = \"{}\"\n", own + 1)));
  daemon.replace(SIGKILL);
  EXPECT_EQ(group_of(), own + 1);
  daemon.configure(table("vm0", path, ""));
  daemon.replace(SIGKILL);
  EXPECT_EQ(group_of(), own);
}

}  // namespace
}  // namespace vballoon::model
