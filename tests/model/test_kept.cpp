// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon ends under vballoon-keeper, by whatever signal, and its VMMs do not notice: no driver
// in here knows how to connect again, so one hang-up fails its test.
#include <signal.h>

#include "harness/kept_daemon.hpp"
#include "harness/kill_storm.hpp"
#include "harness/raw_vmm.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::Request;

constexpr unsigned kKills = 25;  // by default

DriverOptions options_of(unsigned vm) {
  DriverOptions options = patient();
  options.depth = vm % 2 == 0 ? 1 : 8;
  options.batch_pages = vm % 2 == 0 ? 256 : 40;
  if (vm % 3 == 1) options.protocol_features = ~wire::protocol::kInflightShmfd;
  if (vm % 4 == 3) options.features = all_but({wire::Feature::kMustTellHost});
  return options;
}

/// Whatever comes next; nothing where the connection ended.
auto answer_of(RawVmm& vmm) {
  return vmm.socket().receive(driver::Deadline(kOverARestart));
}

class Kept : public ::testing::Test {
 protected:
  const std::uint64_t seed_ = test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "VBALLOON_MODEL_SEED=" + std::to_string(seed_)};
  KeptDaemon daemon_{{"vm0", "vm1", "vm2", "vm3"}};
  const KillStorm storm_{daemon_, seed_, kills_wanted(kKills)};
};

TEST_F(Kept, ADaemonThatIsKilledWhileItIsIdleGoesOnWithItsVm) {
  const auto vm = daemon_.start("vm0", options_of(0), seed_);
  daemon_.call("device.set", {{"name", "vm0"}, {"target_bytes", 3 * kMiB}});
  for (int i = 0; i < 5; ++i) vm->step();
  for (int round = 0; round < 3; ++round) {
    daemon_.replace(SIGKILL);
    vm->expect_whole();
    EXPECT_EQ(must(vm->driver().num_pages()), bytes_to_pages(3 * kMiB));
    for (int i = 0; i < 5; ++i) vm->step();
    vm->expect_whole();
  }
  EXPECT_EQ(daemon_.logged("goes on with its VMM"), 3U);
}

TEST_F(Kept, AVmWhoseDriverIsNotLoadedGoesOn) {
  // Connected, and nothing more than the first question.
  auto socket = daemon_.connect("vm1");
  driver::FrontEnd vmm(std::move(socket), milliseconds(10'000));
  const auto before = must(vmm.get_features());
  daemon_.replace(SIGKILL);
  EXPECT_EQ(must(vmm.get_features()), before);
}

TEST_F(Kept, ADaemonThatIsKilledTwiceInARowLosesNothing) {
  const auto vm = daemon_.start("vm0", options_of(1), seed_);
  for (int i = 0; i < 5; ++i) vm->step();
  for (int round = 0; round < 4; ++round) {
    const pid_t first = daemon_.pid();
    daemon_.hit(SIGKILL);
    // The next one, in the middle of its start.
    pid_t second = first;
    while (second == first) second = daemon_.pid();
    std::this_thread::sleep_for(milliseconds(40 * round));
    ::kill(second, SIGKILL);
    daemon_.await_successor_of(second);
    vm->step();
    vm->expect_whole();
  }
}

TEST_F(Kept, AnUpgradeGoesUnnoticed) {
  const auto vm = daemon_.start("vm0", options_of(0), seed_);
  for (int i = 0; i < 5; ++i) vm->step();
  daemon_.upgrade();
  vm->expect_whole();
  for (int i = 0; i < 5; ++i) vm->step();
  daemon_.upgrade();
  vm->expect_whole();
}

TEST_F(Kept, APauseAndAResetHoldOverAKill) {
  const auto vm = daemon_.start("vm0", options_of(0), seed_);
  for (int i = 0; i < 5; ++i) vm->step();
  must(vm->driver().pause());
  daemon_.replace(SIGKILL);
  EXPECT_EQ(vm->show().at("state"), "stopped");
  must(vm->driver().resume());
  vm->expect_whole();
  vm->step();
  daemon_.replace(SIGKILL);
  must(vm->driver().reset());
  EXPECT_EQ(vm->bytes("ballooned_bytes"), 0U);
  daemon_.replace(SIGKILL);
  EXPECT_EQ(vm->bytes("ballooned_bytes"), 0U);
}

TEST_F(Kept, AVmmThatIsGoneMeanwhileMakesRoomForAnother) {
  pid_t old = -1;
  {
    const auto vm = daemon_.start("vm0", options_of(0), seed_);
    vm->step();
    old = daemon_.pid();
    ::kill(old, SIGSTOP);
  }
  ::kill(old, SIGKILL);
  daemon_.await_successor_of(old);
  EXPECT_EQ(daemon_.show("vm0").at("state"), "waiting");
  const auto next = daemon_.start("vm0", options_of(0), seed_);
  next->step();
  next->expect_whole();
}

TEST_F(Kept, WhatAVmmAsksWhileThereIsNoDaemonIsAnsweredOnce) {
  RawVmm vmm(daemon_.connect("vm0"));
  ASSERT_TRUE(vmm.send(kGetFeatures) && answer_of(vmm));
  const pid_t old = daemon_.pid();
  ::kill(old, SIGSTOP);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(vmm.send(kGetFeatures));
  ::kill(old, SIGKILL);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(answer_of(vmm)) << i;
  ASSERT_TRUE(vmm.send(static_cast<std::uint32_t>(Request::kGetQueueNum)));
  const auto last = answer_of(vmm);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->header.request, static_cast<std::uint32_t>(Request::kGetQueueNum))
      << "an answer came twice";
}

/// However often: whatever kills the daemon so, no VM does.
TEST_F(Kept, NoVmAnswersForKills) {
  const auto vm = daemon_.start("vm0", options_of(0), seed_);
  vm->step();
  for (int i = 0; i < 35; ++i) daemon_.replace(SIGKILL);
  vm->step();
  vm->expect_whole();
}

TEST_F(Kept, ADeviceThatIsRemovedIsNotKept) {
  RawVmm vmm(daemon_.connect("vm0"));
  ASSERT_TRUE(vmm.send(kGetFeatures) && answer_of(vmm));
  daemon_.call("device.remove", {{"name", "vm0"}});
  EXPECT_FALSE(vmm.send(kGetFeatures) && answer_of(vmm));
  daemon_.replace(SIGKILL);
  EXPECT_EQ(daemon_.show("vm0").at("state"), "waiting");
}

TEST(KeptByAFullStore, AVmIsLostWithTheDaemonAndTheOthersAreNot) {
  // For one device, for the books of crashes and of the law, and for the sign of life.
  KeptDaemon daemon({"vm0", "vm1"}, {.keeper = {"--max", "5"}});
  RawVmm first(daemon.connect("vm0"));
  RawVmm second(daemon.connect("vm1"));
  for (RawVmm* const vmm : {&first, &second}) {
    ASSERT_TRUE(vmm->send(kGetFeatures) && answer_of(*vmm));
  }
  daemon.replace(SIGKILL);
  EXPECT_TRUE(first.send(kGetFeatures) && answer_of(first));
  EXPECT_FALSE(second.send(kGetFeatures) && answer_of(second));
  RawVmm third(daemon.connect("vm1"));
  EXPECT_TRUE(third.send(kGetFeatures) && answer_of(third));
}

/// Every message that sets a device up, takes it away or stops it, and kills between any two.
TEST_F(Kept, AStormOfKillsWhileGuestsRebootAndPauseLosesNothing) {
  std::vector<std::unique_ptr<WalkingVm>> vms;
  for (unsigned i = 0; i < 4; ++i) {
    vms.push_back(daemon_.start("vm" + std::to_string(i), options_of(i), seed_ + i));
  }
  storm_.over(vms, [](WalkingVm& vm, unsigned turn) {
    for (int i = 0; i < 3; ++i) vm.step();
    if (turn % 3 == 0) vm.reboot();
    if (turn % 3 == 1) {
      must(vm.driver().pause());
      must(vm.driver().resume());
    }
    if (turn % 3 == 2) must(vm.driver().update_memory());
  });
  for (const auto& vm : vms) vm->expect_whole();
}

/// Each comes with a descriptor, which says for itself whether it was sent.
TEST_F(Kept, AnInflightRegionIsSentOnceWhateverIsKilledMeanwhile) {
  const auto vm = daemon_.start("vm0", options_of(0), seed_);
  storm_.over_one([&] {
    const auto region = must(vm->driver().front_end().get_inflight(5, 128));
    EXPECT_EQ(region.info.mmap_size, 4096U);
    EXPECT_TRUE(region.fd.valid());
    must(vm->driver().num_pages());  // a second answer would be taken for this one's
  });
  vm->step();
  vm->expect_whole();
}

/// Four VMs under load, and a daemon that is killed at moments that nobody chose.
TEST_F(Kept, AStormOfKillsUnderLoadLosesNothing) {
  std::vector<std::unique_ptr<WalkingVm>> vms;
  for (unsigned i = 0; i < 4; ++i) {
    vms.push_back(daemon_.start("vm" + std::to_string(i), options_of(i), seed_ + i));
  }
  storm_.over(vms, [](WalkingVm& vm, unsigned) { vm.step(); });
  for (const auto& vm : vms) vm->expect_whole();
}

}  // namespace
}  // namespace vballoon::model
