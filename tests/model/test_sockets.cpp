// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon's sockets: which paths it takes, and what it leaves behind.
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "harness/fixture.hpp"
#include "harness/raw_vmm.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;

class Sockets : public DaemonTest {};

TEST_F(Sockets, ASocketIsTakenHoweverItIsSpelled) {
  const fs::path folder = daemon_.folder();
  const fs::path link = folder / "link";
  fs::create_directory_symlink(folder, link);
  const std::string file = device_ + ".sock";
  for (const fs::path& path : {folder / file, folder / "." / file, link / file}) {
    const auto refused =
        daemon_.try_call("device.add", {{"name", "another"}, {"socket", path.string()}});
    ASSERT_FALSE(refused) << path;
    EXPECT_NE(refused.error().message.find("belongs to device '" + device_ + "'"),
              std::string::npos)
        << refused.error().message;
  }
  EXPECT_EQ(logged(device_ + ": a VMM connected"), 0U) << "it knocked at its own door";
  fs::remove(link);
}

/// At a removal, and at the end of the daemon.
TEST(SocketFiles, WhatAnotherPutInTheirPlaceStays) {
  for (const bool by_removal : {true, false}) {
    const TemporaryFolder outer;
    const std::string path = (outer.path() / "vm.sock").string();
    std::optional<Daemon> daemon(std::in_place, std::vector<std::string>{"first"});
    daemon->call("device.add", {{"name", "vm"}, {"socket", path}});
    ASSERT_TRUE(fs::exists(path));
    fs::remove(path);
    const auto another = must(driver::Listener::bind(path));
    if (by_removal) daemon->call("device.remove", {{"name", "vm"}});
    daemon.reset();
    EXPECT_TRUE(fs::exists(path)) << by_removal;
    EXPECT_TRUE(driver::MessageSocket::connect(path, driver::Deadline(std::chrono::seconds(1))));
  }
}

TEST(SocketFiles, TheirOwnGo) {
  const TemporaryFolder outer;
  const std::string path = (outer.path() / "vm.sock").string();
  Daemon daemon({"first"});
  daemon.call("device.add", {{"name", "vm"}, {"socket", path}});
  ASSERT_TRUE(fs::exists(path));
  daemon.call("device.remove", {{"name", "vm"}});
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(Sockets, ADaemonThatDoesNotComeUpLeavesNothing) {
  const TemporaryFolder outer;
  ::setenv("TMPDIR", outer.path().c_str(), 1);
  EXPECT_THROW(Daemon({"no name"}), std::runtime_error);
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(fs::is_empty(outer.path()));
}

TEST_F(Sockets, OfAnotherThatTookThePathIsLeftToIt) {
  const TemporaryFolder sockets;
  const auto path = [&](const std::string& name) { return (sockets.path() / name).string(); };
  std::string config;
  for (const std::string name : {"a", "b"}) {
    config += "[[device]]\nname = \"" + name + "\"\nsocket = \"" + path(name) + "\"\n";
  }
  std::optional<Daemon> daemon{std::in_place, std::vector<std::string>{}, config};
  ASSERT_TRUE(fs::exists(path("a")));
  // Somebody else's from here on.
  fs::remove(path("a"));
  fs::remove(path("b"));
  const auto a = must(driver::Listener::bind(path("a")));
  const auto b = must(driver::Listener::bind(path("b")));
  daemon->call("device.remove", {{"name", "a"}});
  EXPECT_TRUE(fs::exists(path("a")));
  daemon.reset();
  EXPECT_TRUE(fs::exists(path("b")));
}

/// Of a daemon whose log has no other lines of librte_vhost's, for those are gated.
TEST(SocketNames, TheLogNamesTheDevicesSocket) {
  Daemon daemon({"vm"});
  const auto logs = [&](const std::string& what) {
    return daemon.log().find(what) != std::string::npos;
  };
  {
    RawVmm vmm(daemon.socket("vm"));
    // A feature that nobody offers.
    EXPECT_FALSE(vmm.verdict(2, RawVmm::payload({std::uint64_t{1} << 60})).value_or(1) == 0);
  }
  EXPECT_TRUE(eventually([&] { return logs("VHOST_CONFIG: (" + daemon.socket("vm") + ")"); }));
  EXPECT_FALSE(logs("/proc/vballoon"));
}

}  // namespace
}  // namespace vballoon::model
