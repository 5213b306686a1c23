// SPDX-License-Identifier: BSD-3-Clause
//
// A device whose VMM listens and whose daemon connects, and connects again.
#include <fmt/format.h>
#include <signal.h>

#include <optional>

#include "harness/fixture.hpp"
#include "harness/kept_daemon.hpp"
#include "harness/walking_vm.hpp"

namespace vballoon::model {
namespace {

using std::chrono::seconds;

TEST(ClientMode, ConnectsToTheVmmAndConnectsAgain) {
  Daemon daemon({"vm=client"});
  const auto ram = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
  for (int round = 0; round < 3; ++round) {
    auto listener = must(driver::Listener::bind(daemon.socket("vm")));
    auto socket = must(listener.accept(driver::Deadline(seconds(10))));
    const auto driver = must(BalloonDriver::start(std::move(socket), ram, late()));
    const auto pages = usable_pages(ram, *driver);
    driver::fill_canaries(ram, pages, 1);
    must(driver->inflate(std::span(pages).first(100)));
    EXPECT_TRUE(ram.reads_zero(pages[0]));
    EXPECT_EQ(driver::check_canaries(ram, std::span(pages).subspan(100), 1).changed, 0U);
  }
}

/// How often is not for the VMM to say.
TEST(ClientMode, AListenerThatHangsUpIsConnectedToOnceASecond) {
  Daemon daemon({"vm=client"});
  auto listener = must(driver::Listener::bind(daemon.socket("vm")));
  const driver::Deadline end(seconds(3));
  int times = 0;
  while (!end.passed()) {
    if (listener.accept(driver::Deadline(std::chrono::milliseconds(100)))) ++times;
  }
  EXPECT_GE(times, 1);
  EXPECT_LE(times, 6);
  // Of which not each has a line in the log.
  EXPECT_EQ(daemon.log().find("process 0"), std::string::npos);
}

/// A VMM that listens, and whose daemon is kept by vballoon-keeper.
class KeptClientMode : public ::testing::Test {
 protected:
  std::unique_ptr<WalkingVm> accept() {
    return daemon_.start_on(must(listener_.accept(driver::Deadline(seconds(10)))), "vm");
  }
  bool is_connected_to() {
    return listener_.accept(driver::Deadline(std::chrono::milliseconds(1500))).has_value();
  }

  const driver::TemporaryFolder folder_;
  const std::string path_ = folder_.path() / "vm.sock";
  driver::Listener listener_ = must(driver::Listener::bind(path_));
  KeptDaemon daemon_{
      {},
      {.config =
           fmt::format("[[device]]\nname = \"vm\"\nsocket = \"{}\"\nmode = \"client\"\n", path_)}};
};

TEST_F(KeptClientMode, AVmmIsNotConnectedToAgain) {
  const auto vm = accept();
  vm->step();
  for (const int signal : {SIGKILL, SIGKILL, SIGTERM, SIGKILL}) {
    if (signal == SIGTERM) {
      daemon_.upgrade();
    } else {
      daemon_.replace(signal);
    }
    vm->expect_whole();
    vm->step();
    vm->expect_whole();
  }
  EXPECT_FALSE(is_connected_to());
  vm->step();
  vm->expect_whole();
}

TEST_F(KeptClientMode, AVmmThatHangsUpAfterwardsIsConnectedToAgain) {
  {
    const auto vm = accept();
    vm->step();
    daemon_.replace(SIGKILL);
    vm->step();
    vm->expect_whole();
  }
  const auto next = accept();
  next->step();
  next->expect_whole();
}

TEST_F(KeptClientMode, AVmmThatHungUpMeanwhileIsConnectedToAgain) {
  std::optional<std::unique_ptr<WalkingVm>> vm(accept());
  (*vm)->step();
  daemon_.while_away([&] { vm.reset(); });
  const auto next = accept();
  next->step();
  next->expect_whole();
  daemon_.call("device.remove", {{"name", "vm"}});
  EXPECT_FALSE(next->driver().num_pages());
}

}  // namespace
}  // namespace vballoon::model
