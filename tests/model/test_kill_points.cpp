// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon is killed between two system calls, at one place after the other, and its VMM does not
// notice. VBALLOON_MODEL_KILL_POINTS says how many places each test tries, spread over all that
// there are: 16 by default; "all" tries every one.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <thread>

#include "harness/call_killer.hpp"
#include "harness/kept_daemon.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Nothing: all.
std::optional<unsigned> tries() {
  const char* const text = std::getenv("VBALLOON_MODEL_KILL_POINTS");
  if (text == nullptr) return 16;
  if (std::string(text) == "all") return std::nullopt;
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

class KillPoints : public ::testing::Test {
 protected:
  using Vm = std::unique_ptr<WalkingVm>;

  /// A daemon that is killed answers a little later.
  Json show() const {
    const driver::Deadline deadline(seconds(30));
    for (;;) {
      try {
        return daemon_.show("vm");
      } catch (const std::runtime_error&) {
        if (deadline.passed()) throw;
        std::this_thread::sleep_for(milliseconds(2));
      }
    }
  }

  /// All that a VMM and its guest say, but the end: the device is set up, moves pages, gets another
  /// memory table, is stopped and goes on.
  Vm converse() {
    auto vm = std::make_unique<WalkingVm>(
        "vm", [this] { return show(); }, daemon_.connect("vm"), patient(), ++seed_);
    vm->inflate_first(300);
    must(vm->driver().num_pages());
    vm->step();
    must(vm->driver().update_memory());
    vm->step();
    must(vm->driver().pause());
    must(vm->driver().resume());
    vm->step();
    return vm;
  }

  /// @return nothing where the daemon was killed before it had the connection.
  Vm converse_under(const CallKiller& killer) {
    const auto connections = daemon_.logged("a VMM connected");
    try {
      return converse();
    } catch (const std::runtime_error&) {
      if (killer.victim() < 0 || daemon_.logged("a VMM connected") != connections) throw;
      ++missed_;
      return nullptr;
    }
  }

  /// @return whether it killed.
  bool settle(CallKiller& killer) const {
    killer.let_go();
    if (killer.victim() > 0) daemon_.await_successor_of(killer.victim());
    return killer.victim() > 0;
  }

  static void expect_goes_on(WalkingVm& vm) {
    vm.expect_whole();
    vm.step();
    vm.expect_whole();
    driver::FrontEnd& vmm = vm.driver().front_end();
    EXPECT_TRUE(vmm.get_queue_num());
    EXPECT_FALSE(vmm.socket().readable(driver::Deadline(milliseconds(0))))
        << "an answer came twice";
  }

  bool waits() const {
    const driver::Deadline deadline(seconds(10));
    while (show().at("state") != "waiting") {
      if (deadline.passed()) return false;
    }
    return true;
  }

  /// Tries places until there are no more.
  /// @param at  kills there, or where there is no such place does not. @return how many there were
  void try_places(const std::function<unsigned(unsigned)>& at) {
    const unsigned all = at(CallKiller::kNever);
    const unsigned stride = std::max(1U, tries() ? all / *tries() : 1);
    unsigned tried = 0;
    for (unsigned place = 1 + static_cast<unsigned>(seed_ % stride); place <= all;
         place += stride, ++tried) {
      SCOPED_TRACE("place " + std::to_string(place) + " of " + std::to_string(all));
      at(place);
      if (HasFatalFailure() || HasNonfatalFailure()) break;
    }
    RecordProperty("places", static_cast<int>(all));
    RecordProperty("tried", static_cast<int>(tried));
    EXPECT_LE(missed_, 1 + tried / 4) << "VMMs that were turned away";
    std::printf("  killed at %u places of %u, %u VMMs turned away\n", tried, all, missed_);
  }

  std::uint64_t seed_ = test_seed();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "VBALLOON_MODEL_SEED=" + std::to_string(seed_)};
  KeptDaemon daemon_{{"vm"}};
  unsigned missed_ = 0;
};

TEST_F(KillPoints, OfAConversation) {
  try_places([this](unsigned place) {
    const auto killer = CallKiller::in_events(daemon_.pid(), place);
    const Vm vm = converse_under(*killer);
    settle(*killer);
    if (vm != nullptr) expect_goes_on(*vm);
    return killer->places();
  });
}

TEST_F(KillPoints, OfTheEndOfAConnection) {
  try_places([this](unsigned place) {
    Vm vm = converse();
    const auto killer = CallKiller::in_events(daemon_.pid(), place);
    vm.reset();
    EXPECT_TRUE(waits());
    const unsigned places = killer->places();
    settle(*killer);
    EXPECT_TRUE(waits());
    return places;
  });
}

TEST_F(KillPoints, OfARestore) {
  try_places([this](unsigned place) {
    const Vm vm = converse();
    const auto killer = CallKiller::in_restore(daemon_.keeper().pid(), place);
    daemon_.replace(SIGKILL);
    settle(*killer);
    expect_goes_on(*vm);
    return killer->places();
  });
}

/// In a conversation, and again while the next daemon takes it up.
TEST_F(KillPoints, TwiceInARow) {
  unsigned of_restore = 0;
  {
    const Vm vm = converse();
    const auto killer = CallKiller::in_restore(daemon_.keeper().pid(), CallKiller::kNever);
    daemon_.replace(SIGKILL);
    settle(*killer);
    of_restore = killer->places();
  }
  try_places([this, of_restore](unsigned place) {
    const unsigned second = 1 + static_cast<unsigned>(place * 7919ULL % of_restore);
    const auto again = CallKiller::in_restore(daemon_.keeper().pid(), second);
    const auto killer = CallKiller::in_events(daemon_.pid(), place);
    const Vm vm = converse_under(*killer);
    settle(*killer);
    settle(*again);
    if (vm != nullptr) expect_goes_on(*vm);
    return killer->places();
  });
}

}  // namespace
}  // namespace vballoon::model
