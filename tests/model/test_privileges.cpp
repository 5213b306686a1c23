// SPDX-License-Identifier: BSD-3-Clause
//
// What the daemon may do, and who may connect to it. See docs/security.md.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include "driver/huge_pages.hpp"
#include "harness/fixture.hpp"
#include "harness/raw_vmm.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;
using support::User;

const User kDaemonUser{64'010, 64'010};

/// A line of /proc/PID/status, without its name.
std::string status_of(const fs::path& task, const std::string& name) {
  std::ifstream file(task / "status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name + ":")) continue;
    return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return "none";
}

fs::path process(const Daemon& daemon) {
  return fs::path("/proc") / std::to_string(daemon.pid());
}

/// What each thread says of that line.
std::set<std::string> of_all_threads(const Daemon& daemon, const std::string& name) {
  std::set<std::string> said;
  for (const auto& task : fs::directory_iterator(process(daemon) / "task")) {
    said.insert(status_of(task.path(), name));
  }
  return said;
}

const std::set<std::string> kFiltered{"2"};

/// A built-in sanitizer keeps the filter away; the daemon says so.
bool is_filtered(const Daemon& daemon) {
  return daemon.log().find("this build has a sanitizer") == std::string::npos;
}

/// Everything a guest does, and all of its pages as they should be.
void use(Daemon& daemon, const std::string& device, const GuestRam& ram) {
  const auto driver = connect(daemon.socket(device), ram);
  const auto pages = usable_pages(ram, *driver);
  driver::fill_canaries(ram, pages, 1);
  const auto counter = [&](const char* name) {
    return daemon.show(device).at("counters").at(name).get<std::uint64_t>();
  };
  const std::size_t half = pages.size() / 2;
  must(driver->inflate(std::span(pages).first(half)));
  EXPECT_TRUE(eventually([&] { return counter("discard_calls") > 0; }));
  daemon.call("device.prefault", {{"name", device}, {"on", true}});
  must(driver->deflate(std::span(pages).first(half)));
  EXPECT_EQ(counter("discard_failures"), 0U);
  EXPECT_EQ(driver::check_canaries(ram, std::span(pages).subspan(half), 1).changed, 0U);
  EXPECT_TRUE(eventually([&] { return daemon.show(device).at("ballooned_bytes") == 0U; }));
}

class Privileges : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!support::is_root()) GTEST_SKIP() << "only root can start it as another user";
  }
};

TEST_F(Privileges, NoneAreNeeded) {
  Daemon daemon({"vm"}, "", kDaemonUser);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(of_all_threads(daemon, set), std::set<std::string>{"0000000000000000"}) << set;
  }
  EXPECT_EQ(status_of(process(daemon), "Uid"), "64010\t64010\t64010\t64010");
  use(daemon, "vm", must(GuestRam::create(driver::flat_ram(32 * kMiB))));
}

TEST_F(Privileges, NoneAreNeededForHugePagesOfItsOwnAndOfGuests) {
  const auto pool = driver::HugePages::get(64);
  if (!pool) GTEST_SKIP() << pool.error().message;
  driver::RamPlan plan = driver::flat_ram(16 * kMiB);
  plan.huge_page = 2 * kMiB;
  Daemon daemon({"vm"}, "[eal]\nno_huge = false\n", kDaemonUser);
  use(daemon, "vm", must(GuestRam::create(plan)));
}

TEST_F(Privileges, NoneAreNeededForLcoresWithCpusOfTheirOwn) {
  Daemon daemon({"vm"}, "[poll]\nlcores = [0]\n[reclaim]\nlcores = [1]\n", kDaemonUser);
  use(daemon, "vm", must(GuestRam::create(driver::flat_ram(32 * kMiB))));
}

TEST(Confinement, HoldsForEveryThread) {
  Daemon daemon({"vm"});
  if (!is_filtered(daemon)) GTEST_SKIP() << "this build has a sanitizer";
  EXPECT_EQ(of_all_threads(daemon, "Seccomp"), kFiltered);
  EXPECT_EQ(of_all_threads(daemon, "NoNewPrivs"), std::set<std::string>{"1"});
  use(daemon, "vm", must(GuestRam::create(driver::flat_ram(32 * kMiB))));
}

TEST(Confinement, LeavesRoomForThreadsOfTheFirstDevice) {
  Daemon daemon({});
  const auto add = [&daemon](const std::string& name, const std::string& mode) {
    daemon.call("device.add", {{"name", name}, {"socket", daemon.socket(name)}, {"mode", mode}});
  };
  add("client", "client");
  add("vm", "server");
  use(daemon, "vm", must(GuestRam::create(driver::flat_ram(32 * kMiB))));
  daemon.call("device.remove", {{"name", "vm"}});
  add("vm", "server");
  use(daemon, "vm", must(GuestRam::create(driver::flat_ram(32 * kMiB))));
  if (is_filtered(daemon)) {
    EXPECT_EQ(of_all_threads(daemon, "Seccomp"), kFiltered);
  }
}

/// Some messages have librte_vhost make calls that are on no list, userfaultfd for POSTCOPY_ADVISE:
/// they may fail, but not be the end. So for all that there are and some that are not.
TEST(Confinement, IsNoWayForAVmmToEndTheDaemon) {
  Daemon daemon({"hostile", "vm"});
  const auto ram = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
  const std::array<int, 1> fd{ram.table_fds().at(0)};
  std::optional<RawVmm> vmm;
  // A message may have ended the last connection, and then a new one has to wait a little.
  const auto connected = [&] {
    const auto answers = [&] {
      return vmm->send(1) && vmm->socket().receive(driver::Deadline(RawVmm::kPatience));
    };
    if (vmm && answers()) return true;
    vmm.emplace(daemon.socket("hostile"));
    return answers();
  };
  for (std::uint32_t request = 0; request < 48; ++request) {
    for (const std::size_t bytes : {0U, 8U, 24U, 40U}) {
      ASSERT_TRUE(eventually(connected)) << request << ", " << bytes;
      static_cast<void>(vmm->send(request, RawVmm::Bytes(bytes), fd, true));
      static_cast<void>(vmm->socket().receive(driver::Deadline(std::chrono::milliseconds(100))));
      ASSERT_TRUE(daemon.alive()) << "request " << request;
    }
  }
  vmm.reset();
  use(daemon, "vm", ram);
}

TEST(Confinement, CanBeLeftOut) {
  Daemon daemon({}, "[daemon]\nseccomp = false\n");
  EXPECT_EQ(of_all_threads(daemon, "Seccomp"), std::set<std::string>{"0"});
}

TEST(SocketGroups, DecideWhichVmmsConnect) {
  if (!support::is_root()) GTEST_SKIP() << "only root can try as others";
  Daemon daemon({"anybodys"}, "[daemon]\nsocket_group = \"64020\"\n");
  ASSERT_EQ(::chmod(daemon.folder().c_str(), 0755), 0);
  const std::string socket = daemon.socket("anybodys");
  struct stat info {};
  ASSERT_EQ(::stat(socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660U);
  EXPECT_EQ(info.st_gid, 64'020U);
  EXPECT_EQ(support::refusal_of({64'011, 64'011, {}}, socket), EACCES);
  EXPECT_EQ(support::refusal_of({64'011, 64'011, {64'020}}, socket), 0);
  EXPECT_EQ(support::refusal_of({64'011, 64'020, {}}, socket), 0);
}

TEST(SocketGroups, KeepTenantsApart) {
  if (!support::is_root()) GTEST_SKIP() << "only root can try as others";
  const TemporaryFolder sockets;
  ASSERT_EQ(::chmod(sockets.path().c_str(), 0755), 0);
  const auto block = [&sockets](const std::string& name, const std::string& group) {
    return "[[device]]\nname = \"" + name + "\"\nsocket = \"" + (sockets.path() / name).string() +
           "\"\ngroup = \"" + group + "\"\n";
  };
  const Daemon daemon({}, block("one", "64021") + block("two", "64022"));
  const User first{64'011, 64'021};
  EXPECT_EQ(support::refusal_of(first, sockets.path() / "one"), 0);
  EXPECT_EQ(support::refusal_of(first, sockets.path() / "two"), EACCES);
}

TEST(SocketGroups, AreOnesThatTheDaemonIsIn) {
  if (!support::is_root()) GTEST_SKIP() << "only root can start it as another user";
  EXPECT_THROW(Daemon({"vm"}, "[daemon]\nsocket_group = \"64020\"\n", kDaemonUser),
               std::runtime_error);
  const User member{64'010, 64'010, {64'020}};
  const Daemon daemon({"vm"}, "[daemon]\nsocket_group = \"64020\"\n", member);
  struct stat info {};
  ASSERT_EQ(::stat(daemon.socket("vm").c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, 64'020U);
}

TEST(Names, OfDevicesAreNoPaths) {
  Daemon daemon({});
  const std::vector<std::string> wrong{"",
                                       ".",
                                       "..",
                                       "../x",
                                       "/",
                                       "/etc/x",
                                       "a/b",
                                       "-x",
                                       "a b",
                                       "a\nb",
                                       "a\x1b[2J",
                                       "b\u00e4lle",
                                       std::string("a\0b", 3),
                                       "%s",
                                       "$(x)",
                                       std::string(65, 'a'),
                                       std::string(100'000, 'a')};
  const auto before = std::distance(fs::directory_iterator(daemon.folder()), {});
  for (const std::string& name : wrong) {
    const auto added =
        daemon.try_call("device.add", {{"name", name}, {"socket", daemon.socket("x")}});
    ASSERT_FALSE(added) << name;
    EXPECT_NE(added.error().message.find("no device name"), std::string::npos) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(daemon.folder()), {}), before);
  EXPECT_TRUE(daemon.try_call("device.add",
                              {{"name", std::string(64, 'a')}, {"socket", daemon.socket("x")}}));
}

TEST(Names, OfSocketsHaveNoControlCharacters) {
  Daemon daemon({});
  for (const std::string& path : {std::string(), std::string("\0x", 2), daemon.socket("x") + '\0',
                                  daemon.socket("a\nb"), "/tmp/" + std::string(200, 'x')}) {
    for (const char* mode : {"server", "client"}) {
      EXPECT_FALSE(
          daemon.try_call("device.add", {{"name", "x"}, {"socket", path}, {"mode", mode}}));
    }
  }
  EXPECT_EQ(daemon.call("device.list", Json::object()).at("devices").size(), 0U);
}

}  // namespace
}  // namespace vballoon::model
