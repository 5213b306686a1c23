// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon crashes again and again while it works for one VM. That VM is set aside; the other one
// does not notice, nor does the VMM of the first.
//
// The tests send a thread of the daemon the signal that a fault would be. What that thread has in
// hand at this moment is not the tests' to choose, but it is what a VM under test keeps busy, or
// nothing: the other VM is silent meanwhile.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <random>
#include <string_view>
#include <thread>

#include "driver/process_figures.hpp"
#include "harness/kept_daemon.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Names of a thread in the versions of DPDK.
using Names = std::array<std::string_view, 2>;
constexpr Names kEvents{"vhost-events", "dpdk-vhost-evt"};
constexpr Names kPollLcore{"rte-worker-1", "dpdk-worker1"};

class Blamed : public ::testing::Test {
 protected:
  /// Sends that thread one signal after the other, each to another daemon, while the VM is busy;
  /// until the log has this line so often.
  void crash_until(const std::string& line, std::size_t times, const Names& thread,
                   const std::function<void()>& work) {
    std::atomic<bool> end{false};
    std::jthread busy([&] {
      while (!end) work();
    });
    constexpr std::array<int, 4> kSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    std::mt19937_64 random(test_seed());
    for (std::size_t i = 0; i < 100 && daemon_.logged(line) < times; ++i) {
      std::this_thread::sleep_for(milliseconds(50 + random() % 50));
      const pid_t old = daemon_.pid();
      const auto folder = driver::thread_named(old, thread);
      ASSERT_TRUE(folder) << thread[0];
      ::syscall(SYS_tgkill, old, std::stoi(folder->filename()), kSignals[i % kSignals.size()]);
      daemon_.await_successor_of(old);
    }
    end = true;
    EXPECT_EQ(daemon_.logged(line), times) << line;
  }

  KeptDaemon daemon_{{"vm0", "vm1"}};
};

TEST_F(Blamed, AVmThatCrashesTheDaemonIsSetAsideAndNoOther) {
  const auto hostile = daemon_.start("vm0");
  const auto other = daemon_.start("vm1");
  for (int i = 0; i < 3; ++i) {
    hostile->step();
    other->step();
  }
  crash_until("vm0: set aside", 1, kEvents,
              [&] { static_cast<void>(hostile->driver().num_pages()); });
  EXPECT_EQ(daemon_.logged("vm0: the daemon crashed"), 4U);
  EXPECT_EQ(daemon_.logged("vm1: the daemon crashed"), 0U);

  // Connected, answered, and not served.
  EXPECT_TRUE(hostile->driver().num_pages());
  const Json shown = daemon_.show("vm0");
  EXPECT_EQ(shown.at("state"), "set-aside");
  EXPECT_NE(shown.at("reason").get<std::string>().find("vballoonctl readmit"), std::string::npos);
  for (const Json& queue : shown.at("queues")) EXPECT_EQ(queue.at("state"), "stopped");
  EXPECT_EQ(daemon_.show("vm1").at("state"), "running");
  for (int i = 0; i < 3; ++i) other->step();
  other->expect_whole();

  // Also by the next daemon, which says no more of it.
  daemon_.replace(SIGKILL);
  EXPECT_EQ(daemon_.show("vm0").at("state"), "set-aside");
  EXPECT_EQ(daemon_.logged("vm0: set aside"), 1U);
  other->step();

  daemon_.call("device.readmit", {{"name", "vm0"}});
  hostile->expect_whole();
  hostile->step();
  hostile->expect_whole();
  daemon_.replace(SIGKILL);
  EXPECT_EQ(daemon_.show("vm0").at("state"), "running");
  hostile->step();
  hostile->expect_whole();
  other->step();
  other->expect_whole();
}

/// What a VM that is set aside asks, pauses and changes goes on as its VMM wants it.
TEST_F(Blamed, AVmThatIsSetAsideIsStillHeard) {
  const auto vm = daemon_.start("vm0");
  vm->step();
  crash_until("vm0: set aside", 1, kEvents, [&] { static_cast<void>(vm->driver().num_pages()); });
  must(vm->driver().pause());
  must(vm->driver().resume());
  must(vm->driver().update_memory());
  daemon_.call("device.set", {{"name", "vm0"}, {"target_bytes", 2 * kMiB}});
  EXPECT_EQ(must(vm->driver().num_pages()), bytes_to_pages(2 * kMiB));
  daemon_.replace(SIGKILL);
  EXPECT_EQ(must(vm->driver().num_pages()), bytes_to_pages(2 * kMiB));
  daemon_.call("device.readmit", {{"name", "vm0"}});
  vm->step();
  vm->expect_whole();
}

TEST_F(Blamed, APollLcoreTellsWhoseRingsItServed) {
  const auto vm = daemon_.start("vm0");
  vm->step();
  crash_until("vm0: the daemon crashed", 1, kPollLcore, [&] { vm->step(); });
  vm->expect_whole();
}

/// Whose messages crash the daemon even then.
TEST_F(Blamed, AVmThatIsHeardNoMoreIsLetInByTheOperatorAlone) {
  const auto other = daemon_.start("vm1");
  {
    const auto hostile = daemon_.start("vm0");
    const auto ask = [&] { static_cast<void>(hostile->driver().num_pages()); };
    crash_until("vm0: set aside", 1, kEvents, ask);
    crash_until("vm0: shut out", 1, kEvents, ask);
    EXPECT_FALSE(hostile->driver().num_pages());
  }
  other->step();
  EXPECT_EQ(daemon_.show("vm0").at("state"), "set-aside");
  driver::FrontEnd refused(daemon_.connect("vm0"), milliseconds(2000));
  EXPECT_FALSE(refused.get_features());
  daemon_.call("device.readmit", {{"name", "vm0"}});
  const auto vm = daemon_.start("vm0");
  vm->step();
  vm->expect_whole();
  other->step();
  other->expect_whole();
}

TEST_F(Blamed, ADeviceThatIsRemovedAndAddedIsAnother) {
  const auto vm = daemon_.start("vm0");
  crash_until("vm0: the daemon crashed", 2, kEvents,
              [&] { static_cast<void>(vm->driver().num_pages()); });
  const std::string socket = daemon_.socket("vm0");
  daemon_.call("device.remove", {{"name", "vm0"}});
  daemon_.call("device.add", {{"name", "vm0"}, {"socket", socket}});
  const auto next = daemon_.start("vm0");
  crash_until("vm0: the daemon crashed", 2 + 4, kEvents,
              [&] { static_cast<void>(next->driver().num_pages()); });
  EXPECT_EQ(daemon_.logged("vm0: set aside"), 0U);
  next->step();
}

}  // namespace
}  // namespace vballoon::model
