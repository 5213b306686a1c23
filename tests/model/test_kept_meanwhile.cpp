// SPDX-License-Identifier: BSD-3-Clause
//
// What VMMs do while there is no daemon, what is under way when it ends, and keepers and folders
// that do not keep everything.
#include <signal.h>

#include <array>
#include <future>
#include <thread>

#include "../unit/support/other_user.hpp"
#include "harness/kept_daemon.hpp"
#include "harness/migration_log.hpp"
#include "harness/raw_vmm.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::Request;

class Meanwhile : public ::testing::Test {
 protected:
  /// Between these two nobody reads what VMMs say.
  pid_t stop_listening() const {
    const pid_t old = daemon_.pid();
    ::kill(old, SIGSTOP);
    return old;
  }
  void listen_again(pid_t old) const {
    ::kill(old, SIGKILL);
    daemon_.await_successor_of(old);
  }
  /// What the guest does is under way when the daemon ends.
  void end_during(const std::function<void()>& deed) const {
    const pid_t old = stop_listening();
    auto done = std::async(std::launch::async, deed);
    // That it has begun cannot be seen. A deed that begins late is one without a daemon.
    std::this_thread::sleep_for(milliseconds(50));
    listen_again(old);
    done.get();
  }

  const std::uint64_t seed_ = test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "VBALLOON_MODEL_SEED=" + std::to_string(seed_)};
  KeptDaemon daemon_{{"vm0", "vm1"}};
};

TEST_F(Meanwhile, MemoryIsPlugged) {
  const auto vm = daemon_.start("vm0", patient(), seed_);
  for (int i = 0; i < 5; ++i) vm->step();
  for (int round = 0; round < 3; ++round) {
    end_during([&] { must(vm->driver().update_memory()); });
    vm->expect_whole();
    vm->step();
    vm->expect_whole();
  }
}

TEST_F(Meanwhile, AGuestRebootsAndAnotherIsPaused) {
  const auto first = daemon_.start("vm0", patient(), seed_);
  const auto second = daemon_.start("vm1", patient(), seed_ + 1);
  for (int i = 0; i < 5; ++i) first->step();
  for (int i = 0; i < 5; ++i) second->step();
  end_during([&] {
    must(second->driver().pause());
    must(second->driver().resume());
  });
  second->expect_whole();
  end_during([&] { first->reboot(); });
  first->expect_whole();
  for (WalkingVm* const vm : {first.get(), second.get()}) {
    vm->step();
    vm->expect_whole();
  }
}

/// So many questions that all answers have room in its socket; each is answered once.
TEST_F(Meanwhile, AVmmAsksAndAsks) {
  const auto beside = daemon_.start("vm1", patient(), seed_);
  beside->step();
  RawVmm flood(daemon_.connect("vm0"));
  ASSERT_TRUE(flood.send(kGetFeatures));
  ASSERT_TRUE(flood.socket().receive(driver::Deadline(kOverARestart)));
  const pid_t old = stop_listening();
  constexpr unsigned kAsked = 60;
  for (unsigned i = 0; i < kAsked; ++i) ASSERT_TRUE(flood.send(kGetFeatures));
  listen_again(old);
  beside->step();
  beside->expect_whole();
  unsigned answered = 0;
  while (answered < kAsked && flood.socket().receive(driver::Deadline(kOverARestart))) ++answered;
  EXPECT_EQ(answered, kAsked);
  EXPECT_FALSE(flood.socket().readable(driver::Deadline(milliseconds(50)))) << "a second answer";
}

/// It never reads an answer. What that costs is its own connection.
TEST_F(Meanwhile, AVmmThatReadsNothingFloodsItsSocketAgainAndAgain) {
  const auto beside = daemon_.start("vm1", patient(), seed_);
  RawVmm flood(daemon_.connect("vm0"));
  const auto header = RawVmm::header(kGetFeatures, 0, false);
  for (int round = 0; round < 4; ++round) {
    const pid_t old = stop_listening();
    for (int i = 0; i < 2000; ++i) {
      if (!flood.socket().send(header, {}, {}, driver::Deadline(milliseconds(0)))) break;
    }
    listen_again(old);
    beside->step();
    beside->expect_whole();
  }
  EXPECT_TRUE(eventually([this] { return daemon_.show("vm0").at("state") == "waiting"; }));
}

/// Where a daemon takes rings up it writes to them, and marks that, too.
TEST_F(Meanwhile, AMigrationIsUnderWay) {
  const auto marked = [this](const std::string& name, bool kills) {
    const auto vm = daemon_.start(name, patient(), seed_);
    Log log;
    must(vm->driver().front_end().set_log_base(log.fd(), Log::kBytes, log.offset()));
    log_all(vm->driver(), true);
    if (kills) daemon_.replace(SIGKILL);
    log.take();
    const auto move = [&] { vm->inflate_first(600); };
    if (kills) {
      end_during(move);
    } else {
      move();
    }
    must(vm->driver().deflate(vm->pages().first(600)));
    driver::fill_canaries(vm->ram(), vm->pages().first(600), WalkingVm::kCanary);
    const auto pages = log.take();
    EXPECT_TRUE(log.take().empty()) << "an idle device writes nothing";
    if (kills) daemon_.replace(SIGKILL);
    const GpaRange arena = vm->driver().arena().range();
    for (const std::uint64_t page : log.take()) {
      EXPECT_GE(page * kPageSize, arena.first.value);
      EXPECT_LT(page * kPageSize, arena.first.value + arena.bytes);
    }
    EXPECT_EQ(driver::check_canaries(vm->ram(), vm->pages(), WalkingVm::kCanary).changed, 0U);
    log_all(vm->driver(), false);
    log.take();
    vm->inflate_first(10);
    EXPECT_TRUE(log.take().empty()) << "the migration is over";
    return pages;
  };
  const auto expected = marked("vm0", false);
  EXPECT_GE(expected.size(), 2U) << "a page of each of two rings";
  const auto with_kills = marked("vm1", true);
  for (const std::uint64_t page : expected) EXPECT_TRUE(with_kills.contains(page)) << page;
}

/// A bag has two ends.
TEST(KeptByAStoreOfOne, AVmIsLostWithTheDaemonAndTheNextOneIsServed) {
  KeptDaemon daemon({"vm"}, {.keeper = {"--max", "1"}});
  RawVmm lost(daemon.connect("vm"));
  ASSERT_TRUE(lost.send(kGetFeatures) && lost.socket().receive(driver::Deadline(kOverARestart)));
  for (int round = 0; round < 3; ++round) {
    daemon.replace(SIGKILL);
    EXPECT_FALSE(lost.send(kGetFeatures) && lost.socket().receive(driver::Deadline(kOverARestart)));
    EXPECT_EQ(daemon.show("vm").at("state"), "waiting");
    RawVmm next(daemon.connect("vm"));
    EXPECT_TRUE(next.send(kGetFeatures) && next.socket().receive(driver::Deadline(kOverARestart)));
  }
}

/// From some day on it can be read and no more, as a file system of the host's after an error.
TEST(KeptInAReadOnlyFolder, AVmIsLostWithTheDaemonAndTheNextOneIsServed) {
  if (!support::is_root()) GTEST_SKIP() << "only root can mount";
  KeptDaemon daemon({"vm"},
                    {.before = {"/usr/bin/unshare", "--mount", "--propagation", "private"}});
  WalkingVm vm(
      "vm", [&] { return daemon.show("vm"); }, daemon.connect("vm"), {}, 1);
  vm.step();
  const std::string state = daemon.folder() / "state";
  const std::string enter = "nsenter --mount --target " + std::to_string(daemon.keeper().pid());
  ASSERT_EQ(std::system((enter + " mount --bind " + state + " " + state).c_str()), 0);
  ASSERT_EQ(std::system((enter + " mount -o remount,bind,ro " + state).c_str()), 0);
  daemon.replace(SIGKILL);
  EXPECT_FALSE(vm.driver().num_pages());
  EXPECT_EQ(daemon.logged("its VMM's connection ends"), 1U);
  WalkingVm next(
      "vm", [&] { return daemon.show("vm"); }, daemon.connect("vm"), {}, 1);
  next.step();
  next.expect_whole();
  EXPECT_GE(daemon.logged("its VMM's connection will not outlive the daemon"), 1U);
  // It was not, and so it does not.
  daemon.replace(SIGKILL);
  EXPECT_FALSE(next.driver().num_pages());
}

}  // namespace
}  // namespace vballoon::model
