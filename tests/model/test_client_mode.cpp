// SPDX-License-Identifier: BSD-3-Clause
//
// A device whose VMM listens and whose daemon connects, and connects again.
#include "harness/fixture.hpp"

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

}  // namespace
}  // namespace vballoon::model
