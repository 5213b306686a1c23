// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon ends, by a signal that it heeds or one that nobody can, and another one takes over:
// no guest loses a page or a buffer (design, section 9).
#include <signal.h>

#include <atomic>
#include <random>
#include <thread>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kCanary = 5;

/// A VM whose VMM finds the next daemon by itself.
class Vm {
 public:
  Vm(Daemon& daemon, std::string name, bool client, DriverOptions options, std::uint64_t seed)
      : daemon_(daemon), name_(std::move(name)), random_(seed) {
    if (client) listener_.emplace(must(driver::Listener::bind(daemon.socket(name_))));
    options.reconnect = [this](driver::Deadline deadline) { return find(deadline); };
    driver_ = must(BalloonDriver::start(must(find(driver::Deadline(seconds(10)))), ram_,
                                        of_this_run(std::move(options))));
    pages_ = usable_pages(ram_, *driver_);
    inside_.resize(pages_.size());
    driver::fill_canaries(ram_, pages_, kCanary);
  }

  [[nodiscard]] BalloonDriver& driver() { return *driver_; }
  [[nodiscard]] GuestRam& ram() { return ram_; }
  [[nodiscard]] std::span<const Pfn> pages() const { return pages_; }

  /// A backend, and not one that is gone already.
  Result<driver::MessageSocket> find(driver::Deadline deadline) {
    if (listener_) return listener_->accept(deadline);
    return driver::MessageSocket::connect(daemon_.socket(name_), deadline);
  }

  /// Inflates or deflates some pages and tells how many there are.
  void step() {
    const bool in = random_() % 3 != 0;
    const std::size_t run = 1 + random_() % 300;
    std::vector<Pfn> chosen;
    for (std::size_t at = random_() % pages_.size(); at < pages_.size() && chosen.size() < run;
         ++at) {
      if (inside_[at] == in) continue;
      chosen.push_back(pages_[at]);
      inside_[at] = in;
    }
    if (chosen.empty()) return;
    must(in ? driver_->inflate(chosen) : driver_->deflate(chosen));
    if (!in) driver::fill_canaries(ram_, chosen, kCanary);
    must(driver_->write_actual(static_cast<std::uint32_t>(inside(true).size())));
  }

  /// Puts the first pages into the balloon; nothing comes out of it.
  void inflate_first(std::size_t count) {
    must(driver_->inflate(std::span(pages_).first(count)));
    std::fill_n(inside_.begin(), count, true);
    must(driver_->write_actual(static_cast<std::uint32_t>(count)));
  }

  /// The pages in the balloon, or the others.
  [[nodiscard]] std::vector<Pfn> inside(bool yes) const {
    std::vector<Pfn> found;
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      if (inside_[i] == yes) found.push_back(pages_[i]);
    }
    return found;
  }
  [[nodiscard]] Json show() const { return daemon_.show(name_); }
  [[nodiscard]] std::uint64_t bytes(const char* what) const {
    return show().at(what).get<std::uint64_t>();
  }

  /// All that must be true of it once it rests.
  void expect_whole() {
    const std::vector<Pfn> in = inside(true);
    const std::uint64_t balloon = pages_to_bytes(in.size());
    EXPECT_TRUE(eventually([&] { return bytes("ballooned_bytes") == balloon; }))
        << name_ << ": " << bytes("ballooned_bytes") << " instead of " << balloon;
    EXPECT_EQ(bytes("actual_bytes"), balloon) << name_;
    EXPECT_EQ(driver_->queue(Role::kInflate).outstanding(), 0U);
    EXPECT_EQ(driver_->queue(Role::kDeflate).outstanding(), 0U);
    const driver::Violations found = driver_->violations();
    EXPECT_EQ(found.total(), 0U) << name_ << ": unknown id " << found.unknown_id
                                 << ", not outstanding " << found.not_outstanding << ", jumps "
                                 << found.index_jump << ", out of order " << found.out_of_order
                                 << ", without a call " << found.missing_call;
    const auto verdict = driver::check_canaries(ram_, inside(false), kCanary);
    EXPECT_EQ(verdict.changed, 0U) << name_ << ": of " << verdict.checked;
    const auto gone = [&] {
      return std::none_of(in.begin(), in.end(), [this](Pfn pfn) { return ram_.is_allocated(pfn); });
    };
    EXPECT_TRUE(eventually(gone)) << name_ << ": not all of its balloon is the host's";
  }

 private:
  Daemon& daemon_;
  std::string name_;
  std::mt19937_64 random_;
  std::optional<driver::Listener> listener_;
  GuestRam ram_ = must(GuestRam::create(driver::ram_with_hole(16 * kMiB, 8 * kMiB, kMiB)));
  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::vector<bool> inside_;
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
