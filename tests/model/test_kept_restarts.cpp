// SPDX-License-Identifier: BSD-3-Clause
//
// What is known of restarts that VMs did not notice, the upgrade that a client asks for, and what
// is said where the next end would be noticed.
#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "harness/kept_daemon.hpp"
#include "harness/raw_vmm.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class KeptRestarts : public ::testing::Test {
 protected:
  [[nodiscard]] Json restarts_of(const std::string& name) const {
    const Json all = daemon_.call("daemon.restarts", Json::object());
    for (const Json& vm : all.at("vms")) {
      if (vm.at("name") == name) return vm;
    }
    return {};
  }

  KeptDaemon daemon_{{"vm0", "vm1"}};
};

TEST_F(KeptRestarts, AreCountedAndMeasuredForEachVm) {
  {
    const auto vm = daemon_.start("vm0");
    vm->step();
    EXPECT_EQ(restarts_of("vm0").at("restarts").at("count"), 0);
    std::uint64_t longest = 0;
    for (unsigned count = 1; count <= 3; ++count) {
      daemon_.replace(SIGKILL);
      const Json vm0 = restarts_of("vm0");
      EXPECT_EQ(vm0.at("outlives"), true);
      const Json& restarts = vm0.at("restarts");
      EXPECT_EQ(restarts.at("count"), count);
      EXPECT_GT(restarts.at("last_ms"), 0);
      EXPECT_GT(restarts.at("last_at_ms"), 1'600'000'000'000U);
      longest = std::max(longest, restarts.at("last_ms").get<std::uint64_t>());
      EXPECT_EQ(restarts.at("longest_ms"), longest);
      EXPECT_EQ(daemon_.show("vm0").at("restarts"), restarts);
    }
    EXPECT_EQ(restarts_of("vm1").at("restarts").at("count"), 0);
    EXPECT_EQ(restarts_of("vm1").at("outlives"), false);
  }
  const auto next = daemon_.start("vm0");
  next->step();
  EXPECT_EQ(restarts_of("vm0").at("restarts").at("count"), 0) << "its VMM is another one";
}

/// It includes the time in which there was no daemon at all.
TEST_F(KeptRestarts, LastFromTheLastSignOfLifeOfTheDaemonBefore) {
  const auto vm = daemon_.start("vm0");
  vm->step();
  daemon_.while_away([] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); });
  EXPECT_GE(restarts_of("vm0").at("restarts").at("last_ms"), 300);
}

TEST_F(KeptRestarts, ByAnUpgradeThatAClientAsksForGoUnnoticed) {
  const auto vm = daemon_.start("vm0");
  vm->step();
  const pid_t old = daemon_.pid();
  const Json said = daemon_.call("daemon.upgrade", Json::object());
  EXPECT_EQ(said.at("pid"), old);
  daemon_.await_successor_of(old);
  EXPECT_NE(daemon_.call("version", Json::object()).at("pid"), old);
  const Json now = daemon_.call("daemon.restarts", Json::object());
  EXPECT_EQ(now.at("started_by"), "vballoon-keeper");
  EXPECT_EQ(now.at("earlier_version"), said.at("version"));
  EXPECT_TRUE(now.at("warnings").empty());
  vm->expect_whole();
  vm->step();
  vm->expect_whole();
}

TEST_F(KeptRestarts, ByASigtermOfTheDaemonGoUnnoticed) {
  const auto vm = daemon_.start("vm0");
  vm->step();
  for (unsigned count = 1; count <= 3; ++count) {
    const pid_t old = daemon_.pid();
    daemon_.hit(SIGTERM);
    daemon_.await_successor_of(old);
    EXPECT_EQ(restarts_of("vm0").at("restarts").at("count"), count);
    EXPECT_TRUE(fs::exists(daemon_.socket("vm1"))) << "a VMM that starts meanwhile waits";
    vm->step();
    vm->expect_whole();
  }
}

TEST_F(KeptRestarts, EndWithTheKeeperAndThatIsSaid) {
  const auto vm = daemon_.start("vm0");
  vm->step();
  EXPECT_TRUE(daemon_.call("device.list", Json::object()).at("warnings").empty());
  daemon_.kill_keeper();
  EXPECT_TRUE(eventually(
      [&] { return daemon_.call("device.list", Json::object()).at("warnings").size() == 1; }));
  const Json vm0 = restarts_of("vm0");
  EXPECT_EQ(vm0.at("outlives"), false);
  EXPECT_EQ(vm0.at("why_not_outlives"), "vballoon-keeper has ended");
  EXPECT_THROW(daemon_.call("daemon.upgrade", Json::object()), std::runtime_error);
  vm->step();
  vm->expect_whole();
  EXPECT_EQ(daemon_.logged("has ended: this daemon serves on"), 1U);
  daemon_.hit(SIGTERM);
  EXPECT_TRUE(eventually([&] { return !fs::exists(daemon_.socket("vm0")); }));
}

TEST_F(KeptRestarts, AreNotForAKeeperThatEndsInOrder) {
  RawVmm vmm(daemon_.connect("vm0"));
  daemon_.keeper().send(SIGTERM);
  ASSERT_TRUE(daemon_.keeper().wait(seconds(20)));
  EXPECT_FALSE(fs::exists(daemon_.socket("vm0")));
}

/// Nothing is lost by it but that the VM's connection ends with the daemon, as without a keeper.
TEST_F(KeptRestarts, AreNotForAVmWhoseBalloonCannotBeKept) {
  const fs::path state = daemon_.folder() / "state";
  daemon_.while_away([&] {
    fs::remove(state / "vm0.state");
    fs::create_directories(state / ".vm0.new" / "full");
  });
  const auto other = daemon_.start("vm1");
  other->step();
  {
    const auto vm = daemon_.start("vm0");
    vm->step();
    vm->expect_whole();
    const Json vm0 = restarts_of("vm0");
    EXPECT_EQ(vm0.at("outlives"), false);
    EXPECT_EQ(vm0.at("why_not_outlives"), "its balloon is not kept");
    EXPECT_EQ(daemon_.logged("vm0: its VMM's connection will not outlive the daemon"), 1U);
    daemon_.replace(SIGKILL);
    EXPECT_FALSE(vm->driver().num_pages());
  }
  other->step();
  other->expect_whole();
  const auto next = daemon_.start("vm0");
  next->step();
  next->expect_whole();
}

TEST(WithoutAKeeper, AnUpgradeIsRefusedWithWhatToDo) {
  Daemon daemon({"vm0"});
  const auto refused = daemon.try_call("daemon.upgrade", Json::object());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("stop this one and start the next"), std::string::npos);
  const Json said = daemon.call("daemon.restarts", Json::object());
  EXPECT_EQ(said.at("started_by"), "nobody");
  EXPECT_TRUE(said.at("earlier_version").is_null());
}

}  // namespace
}  // namespace vballoon::model
