// SPDX-License-Identifier: BSD-3-Clause
//
// Device 13 under vballoon-keeper: the daemon is killed, and each page still comes back as it was
// added. A failure names its seed; VBALLOON_MODEL_SEED replays it.
#include <signal.h>

#include "harness/kept_daemon.hpp"
#include "harness/kill_storm.hpp"
#include "harness/large_walk.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kLargeKills = 10;  // by default

/// No driver in here knows how to connect again: a hang-up fails the test.
class LargeKept : public ::testing::Test {
 protected:
  std::unique_ptr<LargeWalk> start(unsigned vm) {
    const std::string name = "vm" + std::to_string(vm);
    daemon_.call("device.add", {{"name", name},
                                {"socket", daemon_.socket(name)},
                                {"kind", "large"},
                                {"page_sizes", "4K,2M"}});
    LargeOptions options;
    options.timeout = options.call_grace = kOverARestart;
    options.depth = vm % 2 == 0 ? 1 : 8;
    options.max_pages = vm % 2 == 0 ? 0 : 40;
    if (vm % 3 == 1) options.protocol_features = ~wire::protocol::kInflightShmfd;
    return std::make_unique<LargeWalk>(
        name, [this, name] { return daemon_.show(name); }, daemon_.connect(name),
        LargeWalkOptions{.driver = options, .seed = seed_ + vm, .hostile = vm % 2 == 0});
  }
  const std::uint64_t seed_ = test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "VBALLOON_MODEL_SEED=" + std::to_string(seed_)};
  KeptDaemon daemon_{kNoDevices};
  const KillStorm storm_{daemon_, seed_, kills_wanted(kLargeKills)};
};

TEST_F(LargeKept, ADaemonThatIsKilledWhileItIsIdleGoesOnWithItsVm) {
  const auto vm = start(0);
  daemon_.call("device.set", {{"name", "vm0"}, {"target_bytes", 4 * kMiB}});
  for (int i = 0; i < 20; ++i) vm->step();
  for (int round = 0; round < 3; ++round) {
    daemon_.replace(SIGKILL);
    vm->expect_whole();
    for (int i = 0; i < 10; ++i) vm->step();
    vm->expect_whole();
  }
}

/// Each page still comes back as it was added.
TEST_F(LargeKept, TheNextDaemonKnowsOfWhichSizeEachPageIs) {
  const auto vm = start(0);
  auto& driver = vm->driver();
  must(
      driver.add(small_pages_at(4 * kMiB, 700), kSmallShift));  // one of 2 MiB and a bit, in pieces
  must(driver.add(std::vector<Gpa>{Gpa{12 * kMiB}, Gpa{14 * kMiB}}, kLargeShift));
  daemon_.replace(SIGKILL);
  const auto large = must(driver.withdraw(10, kLargeShift));
  EXPECT_EQ(large.size(), 2U);
  const auto small = must(driver.withdraw(1000, kSmallShift));
  EXPECT_EQ(small.size(), 700U);
  for (const auto& [pages, shift] :
       {std::pair(large, kLargeShift), std::pair(small, kSmallShift)}) {
    driver::fill_canaries(vm->ram(), pfns_of(pages, shift), LargeWalk::kCanary);
  }
  vm->expect_whole();
}

TEST_F(LargeKept, ATargetThatIsSetBeforeAKillIsHeardAfterIt) {
  const auto vm = start(0);
  daemon_.call("device.set", {{"name", "vm0"}, {"target_bytes", 4 * kMiB}});
  daemon_.replace(SIGKILL);
  const driver::Deadline deadline(std::chrono::seconds(5));
  auto& driver = vm->driver();
  while (!deadline.passed() && !(driver.target() && driver.target()->units == 1024)) {
    static_cast<void>(must(driver.serve(driver::Deadline(milliseconds(20)))));
  }
  ASSERT_TRUE(driver.target());
  EXPECT_EQ(driver.target()->units, 1024U);
}

TEST_F(LargeKept, AStormOfKillsUnderLoadLosesNothing) {
  std::vector<std::unique_ptr<LargeWalk>> vms;
  for (unsigned i = 0; i < 3; ++i) vms.push_back(start(i));
  storm_.over(vms, [](LargeWalk& vm, unsigned) { vm.step(); });
  for (const auto& vm : vms) vm->expect_whole();
}

TEST_F(LargeKept, AStormOfKillsWhileGuestsRebootAndPauseLosesNothing) {
  std::vector<std::unique_ptr<LargeWalk>> vms;
  for (unsigned i = 0; i < 3; ++i) vms.push_back(start(i));
  storm_.over(vms, [](LargeWalk& vm, unsigned turn) {
    for (int i = 0; i < 3; ++i) vm.step();
    if (turn % 3 == 0) vm.reboot();
    if (turn % 3 == 1) vm.pause();
    if (turn % 3 == 2) must(vm.driver().update_memory());
  });
  for (const auto& vm : vms) vm->expect_whole();
}

}  // namespace
}  // namespace vballoon::model
