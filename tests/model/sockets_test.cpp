// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon's sockets: which paths it takes, and what it leaves behind.
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "harness/fixture.hpp"

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

}  // namespace
}  // namespace vballoon::model
