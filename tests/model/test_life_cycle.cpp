// SPDX-License-Identifier: BSD-3-Clause
//
// Reboot, pause, disconnect: what the ledger keeps and what it forgets (design, section 5, 3).
#include <cstring>
#include <thread>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

constexpr std::size_t kPackedDescriptorBytes = 16;

class LifeCycle : public DaemonTest {
 protected:
  /// As a front end starts the rings of a driver that was reset, which may be in any order.
  static void start_anew(BalloonDriver& driver, Role role) {
    driver::FrontEnd& vmm = driver.front_end();
    const driver::DriverQueue& queue = driver.queue(role);
    const driver::RingPlace place = queue.place();
    // 2.8.13: nothing else tells a new packed ring from one that went round twice.
    if (queue.packed()) std::memset(place.descriptors, 0, queue.size() * kPackedDescriptorBytes);
    const unsigned number = driver.queue_number(role).value();
    must(vmm.set_vring_num(number, queue.size()));
    must(vmm.set_vring_base(number, place.begin));
    must(vmm.set_vring_addr({.index = number,
                             .descriptors = reinterpret_cast<std::uintptr_t>(place.descriptors),
                             .used = reinterpret_cast<std::uintptr_t>(place.device),
                             .available = reinterpret_cast<std::uintptr_t>(place.driver)}));
    must(vmm.set_vring_call(number, queue.call_fd()));
    must(vmm.set_vring_kick(number, queue.kick_fd()));
    must(vmm.set_vring_enable(number, true));
  }
  void inhibit(bool on) { daemon_.call("device.inhibit", {{"name", device_}, {"on", on}}); }
};

TEST_F(LifeCycle, AResetReturnsEveryPageToTheGuest) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  for (int round = 0; round < 5; ++round) {
    must(driver->inflate(std::span(pages).first(2000)));
    must(driver->reset());
    driver::fill_canaries(ram_, std::span(pages).first(2000), 1);
    expect_ballooned(0);
    must(driver->inflate(std::span(pages).subspan(4000, 100)));
    expect_ballooned(100);
    expect_untouched(std::span(pages).first(4000));
    must(driver->deflate(std::span(pages).subspan(4000, 100)));
    driver::fill_canaries(ram_, std::span(pages).subspan(4000, 100), 1);
  }
  expect_no_violations(*driver);
}

/// Pages of the old driver that still wait for neighbours are the new driver's, whichever of its
/// rings is served first: the window is served with it.
TEST_F(LifeCycle, AResetReturnsEveryPageWhicheverRingStartsFirst) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  std::vector<Pfn> apart;
  for (std::size_t i = 0; i < 3000; i += 3) apart.push_back(pages[i]);
  for (const Role role : {Role::kDeflate, Role::kStats, Role::kHint, Role::kReport}) {
    SCOPED_TRACE(driver::kRoleNames[static_cast<std::size_t>(role)]);
    inhibit(true);  // so that none of them goes before the reset
    must(driver->inflate(apart));
    must(driver->pause());
    inhibit(false);
    ASSERT_EQ(ballooned(), apart.size());
    driver::fill_canaries(ram_, apart, 1);
    start_anew(*driver, role);
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // three times the longest wait
    expect_untouched(pages);
    EXPECT_EQ(ballooned(), 0U);
    must(driver->reset());
  }
}

TEST_F(LifeCycle, ANewDriversBalloonIsEmptyWhateverTheLastOneSaid) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(10)));
  must(driver->write_actual(10));
  EXPECT_EQ(show().at("actual_bytes"), 10 * kPageSize);
  must(driver->reset());
  EXPECT_EQ(show().at("actual_bytes"), 0U);
}

TEST_F(LifeCycle, APauseKeepsTheBalloon) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(1000)));
  for (std::size_t round = 0; round < 10; ++round) {
    must(driver->pause());
    must(driver->resume());
    must(driver->inflate(std::span(pages).subspan(1000 + round, 1)));
    expect_ballooned(1001 + round);
  }
  must(driver->deflate(std::span(pages).first(1010)));
  expect_ballooned(0);
  EXPECT_EQ(counter("not_ballooned"), 0U);
  expect_no_violations(*driver);
}

/// 2^16 buffers later the ring index is where a new driver's begins. A pause at that very buffer
/// cannot be told from a reset, and is taken for one: the ledger forgets pages, which costs
/// figures; the other mistake would cost a rebooted guest its data.
TEST_F(LifeCycle, APauseAtTheIndexWrapIsTakenForAReset) {
  if (packed_run()) GTEST_SKIP() << "a packed ring shows whether it was used";
  DriverOptions options = late();
  options.batch_pages = 1;
  options.depth = 64;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  const auto some = std::span(pages).first(4096);
  for (int round = 0; round < 16; ++round) {
    must(driver->inflate(some));
    if (round < 15) must(driver->deflate(some));
  }
  ASSERT_EQ(driver->queue(Role::kInflate).avail_index(), 0U);
  must(driver->pause());
  must(driver->resume());
  expect_ballooned(0);
  must(driver->deflate(some));
  expect_ballooned(0);
  EXPECT_EQ(counter("not_ballooned"), 4096U);
  expect_no_violations(*driver);
}

/// A packed ring stands where a new driver's begins after every second lap. What lies in it tells a
/// pause there from a reset.
TEST_F(LifeCycle, APauseWhereAPackedRingBeginsKeepsTheBalloon) {
  if (!packed_run()) GTEST_SKIP() << "of packed rings";
  DriverOptions options = late();
  options.queue_size = 16;
  options.batch_pages = 1;
  const auto driver = connect(options);
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(31)));
  for (std::size_t round = 0; round < 4; ++round) {
    must(driver->pause());
    must(driver->resume());
    expect_ballooned(31 + 32 * round);
    // One more, and the index is 0; then the same after a reset, which begins there too.
    must(driver->inflate(std::span(pages).subspan(31 + 32 * round, 1)));
    must(driver->pause());
    must(driver->resume());
    expect_ballooned(32 + 32 * round);
    must(driver->inflate(std::span(pages).subspan(32 + 32 * round, 31)));
  }
  must(driver->inflate(std::span(pages).subspan(32 * 4 + 31, 1)));
  EXPECT_EQ(counter("not_ballooned"), 0U);
  must(driver->reset());
  driver::fill_canaries(ram_, pages, 1);
  expect_ballooned(0);
  must(driver->inflate(std::span(pages).first(1)));
  expect_ballooned(1);
  expect_untouched(std::span(pages).subspan(1));
  expect_no_violations(*driver);
}

TEST_F(LifeCycle, AnIdleDeviceIsPausedToo) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->pause());
  must(driver->resume());
  must(driver->inflate(std::span(pages).first(1)));
  expect_ballooned(1);
  expect_no_violations(*driver);
}

TEST_F(LifeCycle, NothingIsServedWhileStopped) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  must(driver->pause());
  auto& queue = driver->queue(Role::kReport);
  const std::vector<driver::Segment> free_page{{to_gpa(pages[0]), kPageSize, true}};
  ASSERT_TRUE(queue.add(free_page));
  queue.publish();
  EXPECT_FALSE(queue.wait(driver::Deadline(std::chrono::milliseconds(100))));
  expect_untouched(pages);
  must(driver->resume());
  EXPECT_TRUE(queue.wait(driver::Deadline(std::chrono::seconds(2))));
  expect_gone(std::span(pages).first(1));
}

TEST_F(LifeCycle, ReconnectsAfterTheVmmVanished) {
  for (int round = 0; round < 5; ++round) {
    const auto driver = connect();
    const auto pages = fill(*driver);
    must(driver->inflate(std::span(pages).first(500)));
    expect_ballooned(500);
    expect_untouched(std::span(pages).subspan(500));
  }
  EXPECT_TRUE(eventually([this] { return show().at("state") == "waiting"; }));
  EXPECT_EQ(ballooned(), 0U);
}

TEST_F(LifeCycle, AVmmThatComesBackAtOnceIsLetIn) {
  for (int round = 0; round < 30; ++round) {
    auto socket = must(driver::MessageSocket::connect(daemon_.socket(device_),
                                                      driver::Deadline(std::chrono::seconds(5))));
    const auto driver = must(BalloonDriver::start(std::move(socket), ram_, {}));
    const auto pages = usable_pages(ram_, *driver);
    must(driver->inflate(std::span(pages).first(10)));
    expect_ballooned(10);
  }
  EXPECT_EQ(logged(device_ + ": another VMM"), 0U);
}

TEST_F(LifeCycle, ASecondVmmIsTurnedAway) {
  const auto driver = connect();
  const auto pages = fill(*driver);
  for (int round = 0; round < 3; ++round) {
    auto socket = must(driver::MessageSocket::connect(daemon_.socket(device_),
                                                      driver::Deadline(std::chrono::seconds(5))));
    const auto second = BalloonDriver::start(std::move(socket), ram_, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kUnavailable) << second.error().message;
  }
  must(driver->inflate(std::span(pages).first(10)));
  expect_ballooned(10);
  expect_untouched(std::span(pages).subspan(10));
}

TEST_F(LifeCycle, TheTargetReachesTheNextDriver) {
  {
    const auto driver = connect();
    ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
    daemon_.call("device.set", {{"name", device_}, {"target_bytes", 8 * kMiB}});
    EXPECT_TRUE(must(driver->serve(driver::Deadline(std::chrono::seconds(2)))));
    EXPECT_EQ(must(driver->num_pages()), bytes_to_pages(8 * kMiB));
    EXPECT_EQ(driver->config_changes(), 1U);
  }
  const auto next = connect();
  EXPECT_EQ(must(next->num_pages()), bytes_to_pages(8 * kMiB));
}

TEST_F(LifeCycle, ATargetAboveGuestMemoryIsRefused) {
  const auto driver = connect();
  const auto refused =
      daemon_.try_call("device.set", {{"name", device_}, {"target_bytes", 33 * kMiB}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(device_), std::string::npos);
  EXPECT_EQ(must(driver->num_pages()), 0U);
}

TEST_F(LifeCycle, ATargetSetWithoutAVmmIsKeptForTheNext) {
  { const auto driver = connect(); }
  ASSERT_TRUE(eventually([this] { return show().at("state") == "waiting"; }));
  for (const std::uint64_t target : {8 * kMiB, std::uint64_t{0}, 4 * kMiB}) {
    daemon_.call("device.set", {{"name", device_}, {"target_bytes", target}});
    EXPECT_EQ(show().at("target_bytes"), target);
  }
  const auto driver = connect();
  EXPECT_EQ(must(driver->num_pages()), bytes_to_pages(4 * kMiB));
}

TEST_F(LifeCycle, AConnectedVmmWhoseMemoryIsUnknownIsNotCalledAbsent) {
  driver::FrontEnd vmm(must(driver::MessageSocket::connect(
                           daemon_.socket(device_), driver::Deadline(std::chrono::seconds(5)))),
                       std::chrono::seconds(2));
  must(vmm.get_features());
  ASSERT_TRUE(eventually([this] { return show().at("state") == "connected"; }));
  daemon_.call("device.set", {{"name", device_}, {"target_bytes", kMiB}});
  EXPECT_EQ(show().at("target_bytes"), kMiB);
}

TEST_F(LifeCycle, ATargetForALargerVmLeavesASmallerOneEnough) {
  daemon_.call("device.set", {{"name", device_}, {"target_bytes", 24 * kMiB}});
  {
    const auto small_ram = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
    const auto small = model::connect(daemon_.socket(device_), small_ram);
    EXPECT_EQ(must(small->num_pages()), bytes_to_pages(12 * kMiB));
    EXPECT_EQ(show().at("target_bytes"), 12 * kMiB);
    EXPECT_EQ(show().at("wanted_bytes"), 24 * kMiB);
    EXPECT_EQ(logged(device_ + ": the target of 24 MiB is too much for the 16 MiB"), 1U);
  }
  ASSERT_TRUE(eventually([this] { return show().at("state") == "waiting"; }));
  EXPECT_EQ(show().at("target_bytes"), 24 * kMiB);
  const auto driver = connect();
  EXPECT_EQ(must(driver->num_pages()), bytes_to_pages(24 * kMiB));
}

TEST_F(LifeCycle, GuestMemoryIsNotKeptAfterTheVmmIsGone) {
  { const auto driver = connect(); }
  EXPECT_TRUE(eventually([this] { return show().at("guest_bytes") == 0U; }));
}

}  // namespace
}  // namespace vballoon::model
