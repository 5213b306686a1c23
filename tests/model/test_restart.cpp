// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon ends, by a signal that it heeds or one that nobody can, and another one takes over:
// no guest loses a page or a buffer (design, section 9).
#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include "harness/fixture.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kCanary = WalkingVm::kCanary;

/// Where a VMM finds its backend.
class Meeting {
 public:
  Meeting(Daemon& daemon, const std::string& name, bool client) : socket_(daemon.socket(name)) {
    if (client) listener_.emplace(must(driver::Listener::bind(socket_)));
  }

  /// A backend, and not one that is gone already.
  Result<driver::MessageSocket> find(driver::Deadline deadline) {
    if (listener_) return listener_->accept(deadline);
    return driver::MessageSocket::connect(socket_, deadline);
  }

 protected:
  /// With these options the driver looks for the next backend.
  DriverOptions looking(DriverOptions options) {
    options.reconnect = [this](driver::Deadline deadline) { return find(deadline); };
    return options;
  }

 private:
  std::string socket_;
  std::optional<driver::Listener> listener_;
};

/// A VM whose VMM finds the next daemon by itself.
class Vm : public Meeting, public WalkingVm {
 public:
  Vm(Daemon& daemon, const std::string& name, bool client, DriverOptions options,
     std::uint64_t seed)
      : Meeting(daemon, name, client),
        WalkingVm(
            name, [&daemon, name] { return daemon.show(name); },
            must(find(driver::Deadline(seconds(10)))), looking(std::move(options)), seed) {}
};

DriverOptions options_of(unsigned vm) {
  DriverOptions options;
  options.depth = vm % 2 == 0 ? 1 : 8;
  options.batch_pages = vm % 2 == 0 ? 256 : 40;
  if (vm % 3 == 1) options.protocol_features = ~wire::protocol::kInflightShmfd;
  if (vm % 4 == 3) options.features = all_but({wire::Feature::kMustTellHost});
  return options;
}

TEST(Restart, OfADaemonThatServesEightGuestsLosesNothing) {
  constexpr unsigned kVms = 8;
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE("VBALLOON_MODEL_SEED=" + std::to_string(seed));
  std::vector<std::string> names;
  for (unsigned i = 0; i < kVms; ++i) {
    names.push_back("vm" + std::to_string(i) + (i < 2 ? "=client" : ""));
  }
  Daemon daemon(names, {}, true);
  std::vector<std::unique_ptr<Vm>> vms;
  for (unsigned i = 0; i < kVms; ++i) {
    const std::string name = "vm" + std::to_string(i);
    vms.push_back(std::make_unique<Vm>(daemon, name, i < 2, options_of(i), seed + i));
    daemon.call("device.set", {{"name", name}, {"target_bytes", (i + 1) * kMiB}});
  }
  std::atomic<bool> end{false};
  std::atomic<unsigned> failed{0};
  {
    std::vector<std::jthread> guests;
    for (const auto& vm : vms) {
      guests.emplace_back([&end, &failed, &vm] {
        try {
          while (!end) vm->step();
        } catch (const std::exception& error) {
          ++failed;
          std::fprintf(stderr, "a guest: %s\n", error.what());
        }
      });
    }
    std::mt19937_64 random(seed);
    for (int round = 0; round < 6; ++round) {
      std::this_thread::sleep_for(milliseconds(100 + random() % 1500));
      daemon.restart(round % 3 == 2 ? SIGTERM : SIGKILL);
    }
    std::this_thread::sleep_for(milliseconds(1500));
    end = true;
  }
  EXPECT_EQ(failed, 0U);
  for (unsigned i = 0; i < kVms; ++i) {
    vms[i]->expect_whole();
    EXPECT_EQ(vms[i]->bytes("target_bytes"), (i + 1) * kMiB);
    EXPECT_GE(vms[i]->driver().reconnections(), 1U);
  }
}

TEST(Restart, AfterACrashPagesThatOnlyWaitedGoToTheHost) {
  Daemon daemon({"vm"}, "[reclaim]\nwindow_age_ms = 1000\n", true);
  Vm vm(daemon, "vm", false, DriverOptions{}, 3);
  for (int i = 0; i < 5; ++i) vm.step();
  daemon.restart(SIGKILL);
  static_cast<void>(must(vm.driver().num_pages()));
  std::this_thread::sleep_for(seconds(1));
  vm.expect_whole();
}

class RestartOf : public ::testing::Test {
 protected:
  void fill_some() {
    for (int i = 0; i < 20; ++i) vm_->step();
    vm_->expect_whole();
  }
  [[nodiscard]] std::uint64_t ballooned() const { return vm_->bytes("ballooned_bytes"); }

  Daemon daemon_{{"vm"}, {}, true};
  std::unique_ptr<Vm> vm_ = std::make_unique<Vm>(daemon_, "vm", false, DriverOptions{}, 1);
};

/// A deflate ring that was never used begins where that of a new driver does.
TEST_F(RestartOf, ADaemonKeepsABalloonOfWhichNothingCameBackYet) {
  vm_->inflate_first(700);
  for (const int signal : {SIGTERM, SIGKILL, SIGKILL}) {
    daemon_.restart(signal);
    static_cast<void>(must(vm_->driver().num_pages()));
    vm_->expect_whole();
  }
}

/// Nothing tells its driver from a new one, and nothing is lost by that: it hears of its target.
TEST_F(RestartOf, ADaemonOfAGuestWhoseBalloonWasNeverUsedSaysSoAndTellsTheTarget) {
  daemon_.call("device.set", {{"name", "vm"}, {"target_bytes", 3 * kMiB}});
  for (int i = 0; i < 2; ++i) {
    daemon_.restart(SIGKILL);
    EXPECT_EQ(must(vm_->driver().num_pages()), bytes_to_pages(3 * kMiB));
    EXPECT_TRUE(must(vm_->driver().serve(driver::Deadline(seconds(5)))));
  }
  EXPECT_NE(daemon_.log().find("had nothing in its balloon yet"), std::string::npos);
  EXPECT_EQ(daemon_.log().find("is not known to be the one"), std::string::npos);
  fill_some();
  daemon_.restart(SIGKILL);
  static_cast<void>(must(vm_->driver().num_pages()));
  vm_->expect_whole();
}

/// A front end starts its rings one after the other, and the first is served at once.
TEST_F(RestartOf, ADaemonThatEndedBeforeItsDeflateRingWasStartedLosesNothing) {
  BalloonDriver& driver = vm_->driver();
  must(driver.pause());
  const driver::DriverQueue& inflate = driver.queue(Role::kInflate);
  const driver::RingPlace place = inflate.place();
  const unsigned number = driver.queue_number(Role::kInflate).value();
  driver::FrontEnd& vmm = driver.front_end();
  must(vmm.set_vring_num(number, inflate.size()));
  must(vmm.set_vring_base(number, place.begin));
  must(vmm.set_vring_addr({.index = number,
                           .descriptors = reinterpret_cast<std::uintptr_t>(place.descriptors),
                           .used = reinterpret_cast<std::uintptr_t>(place.device),
                           .available = reinterpret_cast<std::uintptr_t>(place.driver)}));
  must(vmm.set_vring_call(number, inflate.call_fd()));
  must(vmm.set_vring_kick(number, inflate.kick_fd()));
  must(vmm.set_vring_enable(number, true));
  vm_->inflate_first(700);
  daemon_.restart(SIGKILL);
  static_cast<void>(must(driver.num_pages()));
  vm_->expect_whole();
}

/// Its driver says once what it fills its free pages with, and may report for days with an empty
/// balloon.
TEST(Restart, OfADaemonLeavesAGuestWithoutABalloonItsPattern) {
  constexpr std::uint32_t kPattern = 0xAAAAAAAA;
  const TemporaryFolder folder;
  const std::string socket = folder.path() / "vm.sock";
  Daemon daemon({}, "[[device]]\nname = \"vm\"\npage_poison = true\nsocket = \"" + socket + "\"\n",
                true);
  const GuestRam ram = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
  DriverOptions options;
  options.poison_value = kPattern;
  options.reconnect = [&socket](driver::Deadline deadline) {
    return driver::MessageSocket::connect(socket, deadline);
  };
  const auto driver = model::connect(socket, ram, options);
  const auto pages = usable_pages(ram, *driver);
  driver::fill_canaries(ram, pages, kCanary);
  for (int i = 0; i < 3; ++i) {
    must(driver->report(std::vector<GpaRange>{{to_gpa(pages[0]), 1024 * kPageSize}}));
    EXPECT_EQ(driver::check_canaries(ram, pages, kCanary).changed, 0U);
    EXPECT_EQ(daemon.show("vm").at("poison_value"), kPattern);
    daemon.restart(SIGKILL);
    static_cast<void>(must(driver->num_pages()));
  }
}

TEST_F(RestartOf, ADaemonKeepsTheInhibition) {
  daemon_.call("device.inhibit", {{"name", "vm"}, {"on", true}});
  daemon_.restart(SIGKILL);
  EXPECT_TRUE(vm_->show().at("inhibited").get<bool>());
}

TEST_F(RestartOf, ADaemonKeepsThatAVmIsAutomatic) {
  daemon_.call("policy.auto", {{"name", "vm"}, {"on", true}});
  daemon_.restart(SIGKILL);
  EXPECT_TRUE(vm_->show().at("automatic").get<bool>());
  daemon_.call("policy.auto", {{"name", "vm"}, {"on", false}});
  daemon_.restart(SIGTERM);
  EXPECT_FALSE(vm_->show().at("automatic").get<bool>());
}

TEST_F(RestartOf, ADaemonGivesAnotherVmAnEmptyBalloonAndTheTarget) {
  daemon_.call("device.set", {{"name", "vm"}, {"target_bytes", 3 * kMiB}});
  fill_some();
  daemon_.restart(SIGKILL);
  vm_.reset();
  vm_ = std::make_unique<Vm>(daemon_, "vm", false, DriverOptions{}, 2);
  EXPECT_EQ(ballooned(), 0U);
  EXPECT_EQ(vm_->bytes("target_bytes"), 3 * kMiB);
  EXPECT_EQ(driver::check_canaries(vm_->ram(), vm_->pages(), kCanary).changed, 0U);
}

TEST_F(RestartOf, ADaemonSeesThatTheGuestStartedAnewMeanwhile) {
  fill_some();
  daemon_.restart(SIGKILL);
  // The same memory, and another driver in it, whose pages are all its own.
  driver::fill_canaries(vm_->ram(), vm_->pages(), kCanary);
  auto socket = must(vm_->find(driver::Deadline(seconds(10))));
  const auto anew =
      must(BalloonDriver::start(std::move(socket), vm_->ram(), of_this_run(DriverOptions{})));
  EXPECT_EQ(ballooned(), 0U);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(driver::check_canaries(vm_->ram(), vm_->pages(), kCanary).changed, 0U);
}

TEST_F(RestartOf, AConnectionGoesOnWithTheBalloon) {
  for (int i = 0; i < 3; ++i) {
    fill_some();
    must(vm_->driver().reconnect(must(vm_->find(driver::Deadline(seconds(10))))));
    vm_->expect_whole();
  }
}

TEST_F(RestartOf, ADeviceThatWasRemovedForgetsItsTarget) {
  daemon_.call("device.set", {{"name", "vm"}, {"target_bytes", 3 * kMiB}});
  daemon_.call("device.remove", {{"name", "vm"}});
  daemon_.restart(SIGTERM);
  EXPECT_EQ(daemon_.show("vm").at("wanted_bytes"), 0U);
}

TEST_F(RestartOf, ADaemonWhoseStateIsDamagedStartsAfresh) {
  fill_some();
  const auto file = daemon_.folder() / "state" / "vm.state";
  ASSERT_TRUE(std::filesystem::exists(file));
  std::filesystem::resize_file(file, 5000);
  daemon_.restart(SIGKILL);
  for (int i = 0; i < 3; ++i) vm_->step();
  EXPECT_NE(daemon_.log().find("is not used"), std::string::npos);
  EXPECT_LT(ballooned(), pages_to_bytes(vm_->inside(true).size()));
  EXPECT_EQ(vm_->driver().violations().total(), 0U);
}

}  // namespace
}  // namespace vballoon::model
