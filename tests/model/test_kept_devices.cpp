// SPDX-License-Identifier: BSD-3-Clause
//
// What clients did to devices outlives the daemon under vballoon-keeper: devices that they added,
// and settings that they changed.
#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "harness/kept_daemon.hpp"
#include "harness/raw_vmm.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

class KeptDevices : public ::testing::Test {
 protected:
  void add(const std::string& name, Json more = Json::object()) {
    more.update({{"name", name}, {"socket", daemon_.socket(name)}});
    daemon_.call("device.add", more);
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    const Json list = daemon_.call("device.list", Json::object());
    for (const Json& device : list.at("devices")) {
      all.push_back(device.at("name"));
    }
    return all;
  }
  using Names = std::vector<std::string>;

  KeptDaemon daemon_{{"vm0"}};
};

TEST_F(KeptDevices, ThatAClientAddedComeBackWithTheirVms) {
  add("vm1", {{"weight", 300}, {"reporting", false}});
  const auto vm = daemon_.start("vm1");
  vm->step();
  for (const int signal : {SIGKILL, SIGKILL, SIGTERM}) {
    if (signal == SIGTERM) {
      daemon_.upgrade();
    } else {
      daemon_.replace(signal);
    }
    EXPECT_EQ(names(), (Names{"vm0", "vm1"}));
    vm->expect_whole();
    vm->step();
    vm->expect_whole();
    EXPECT_EQ(daemon_.show("vm1").at("settings").at("weight"), 300);
    EXPECT_EQ(daemon_.show("vm1").at("reporting"), false);
  }
}

TEST_F(KeptDevices, ThatNobodyIsConnectedToComeBack) {
  add("vm1");
  daemon_.replace(SIGKILL);
  daemon_.replace(SIGKILL);
  const auto vm = daemon_.start("vm1");
  vm->step();
  vm->expect_whole();
}

TEST_F(KeptDevices, ThatAClientRemovedStayAwayUnlessTheyAreConfigured) {
  add("vm1");
  daemon_.replace(SIGKILL);
  daemon_.call("device.remove", {{"name", "vm1"}});
  daemon_.call("device.remove", {{"name", "vm0"}});
  EXPECT_EQ(names(), Names());
  daemon_.replace(SIGKILL);
  EXPECT_EQ(names(), Names{"vm0"});
}

TEST_F(KeptDevices, ThatCannotComeBackAreLeftOutAndSaid) {
  const driver::TemporaryFolder outer;
  const std::filesystem::path folder = outer.path() / "folder";
  std::filesystem::create_directory(folder);
  daemon_.call("device.add", {{"name", "vm1"}, {"socket", (folder / "vm1.sock").string()}});
  daemon_.while_away([&] { std::filesystem::remove_all(folder); });
  EXPECT_EQ(names(), Names{"vm0"});
  EXPECT_EQ(daemon_.logged("vm1: it was added while an earlier daemon ran, and is gone"), 1U);
  daemon_.replace(SIGKILL);
  EXPECT_EQ(daemon_.logged("vm1: it was added"), 1U);
}

TEST_F(KeptDevices, HaveTheSettingsThatAClientChanged) {
  add("vm1", {{"floor_mib", 8}});
  for (const char* name : {"vm0", "vm1"}) {
    daemon_.call("device.configure",
                 {{"name", name}, {"weight", 7}, {"reporting", false}, {"automatic", true}});
  }
  for (int round = 0; round < 2; ++round) {
    daemon_.replace(SIGKILL);
    for (const char* name : {"vm0", "vm1"}) {
      const Json shown = daemon_.show(name);
      EXPECT_EQ(shown.at("settings").at("weight"), 7) << name;
      EXPECT_EQ(shown.at("reporting"), false) << name;
      EXPECT_EQ(shown.at("automatic"), true) << name;
    }
    EXPECT_EQ(daemon_.show("vm1").at("settings").at("floor_mib"), 8);
  }
}

/// A word of the configuration's that is newer than a client's counts.
TEST(KeptConfiguration, ThatChangedIsTakenOverWhole) {
  const driver::TemporaryFolder outer;
  const auto table = [&](unsigned weight) {
    return fmt::format("[[device]]\nname = \"vm0\"\nsocket = \"{}\"\nweight = {}\n",
                       (outer.path() / "vm0.sock").string(), weight);
  };
  KeptDaemon daemon({}, {.config = table(50)});
  const auto weight = [&] { return daemon.show("vm0").at("settings").at("weight"); };
  daemon.call("device.configure", {{"name", "vm0"}, {"weight", 7}, {"floor_mib", 9}});
  daemon.replace(SIGKILL);
  EXPECT_EQ(weight(), 7);
  daemon.configure(table(60));
  daemon.replace(SIGKILL);
  EXPECT_EQ(weight(), 60);
  EXPECT_EQ(daemon.show("vm0").at("settings").at("floor_mib"), 0);
  daemon.configure(table(50));
  daemon.replace(SIGKILL);
  EXPECT_EQ(weight(), 50);
}

/// A client's device that the configuration has now is the configuration's.
TEST(KeptConfiguration, ThatHasAClientsDeviceNowIsItsOwner) {
  const driver::TemporaryFolder outer;
  const std::string path = outer.path() / "vm0.sock";
  KeptDaemon daemon({}, {.config = "[policy]\ninterval_ms = 1000\n"});
  daemon.call("device.add", {{"name", "vm0"}, {"socket", path}, {"weight", 9}});
  RawVmm vmm(path);
  const auto is_connected = [&] { return daemon.show("vm0").at("state") == "connected"; };
  ASSERT_TRUE(eventually(is_connected));
  daemon.configure(fmt::format("[[device]]\nname = \"vm0\"\nsocket = \"{}\"\n", path));
  daemon.replace(SIGKILL);
  EXPECT_EQ(daemon.show("vm0").at("settings").at("weight"), 100);
  EXPECT_TRUE(is_connected());
  daemon.configure("[policy]\ninterval_ms = 1000\n");
  daemon.replace(SIGKILL);
  EXPECT_TRUE(daemon.call("device.list", Json::object()).at("devices").empty());
}

}  // namespace
}  // namespace vballoon::model
