// SPDX-License-Identifier: BSD-3-Clause
//
// Two VMs on one poll lcore: what one does costs the other nothing but time (design, section 5, 5).
#include <unistd.h>

#include <cstring>
#include <exception>
#include <random>
#include <thread>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

/// One guest with a life of its own.
class Guest {
 public:
  Guest(const std::string& socket, std::uint64_t seed)
      : seed_(seed),
        ram_(must(GuestRam::create(driver::flat_ram(16 * kMiB)))),
        driver_(model::connect(socket, ram_)),
        pages_(usable_pages(ram_, *driver_)) {
    driver::fill_canaries(ram_, pages_, seed_);
  }

  void live(int rounds) {
    std::mt19937_64 random(seed_);
    for (int round = 0; round < rounds; ++round) {
      const std::size_t count = 1 + random() % (pages_.size() / 2);
      const auto some = std::span(pages_).subspan(random() % (pages_.size() - count), count);
      must(driver_->inflate(some));
      must(driver_->deflate(some));
      driver::fill_canaries(ram_, some, seed_);
      must(driver_->report(std::vector<GpaRange>{{to_gpa(some.front()), kPageSize}}));
      driver::fill_canaries(ram_, some.first(1), seed_);
      changed_ += driver::check_canaries(ram_, pages_, seed_).changed;
    }
  }

  [[nodiscard]] std::uint64_t changed() const { return changed_; }
  [[nodiscard]] BalloonDriver& driver() { return *driver_; }
  [[nodiscard]] const GuestRam& ram() const { return ram_; }
  [[nodiscard]] const std::vector<Pfn>& pages() const { return pages_; }

 private:
  std::uint64_t seed_;
  GuestRam ram_;
  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
  std::uint64_t changed_ = 0;
};

class TwoDevices : public DaemonTest {
 protected:
  TwoDevices() : other_(Lab::get().next_device()) {}
  const std::string other_;
};

TEST_F(TwoDevices, LiveSideBySide) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(testing::Message() << "VBALLOON_MODEL_SEED=" << seed);
  Guest one(daemon_.socket(device_), seed);
  Guest two(daemon_.socket(other_), seed + 1);
  std::exception_ptr error;
  std::thread other([&] {
    try {
      two.live(30);
    } catch (...) {
      error = std::current_exception();
    }
  });
  one.live(30);
  other.join();
  if (error) std::rethrow_exception(error);
  EXPECT_EQ(one.changed(), 0U);
  EXPECT_EQ(two.changed(), 0U);
  EXPECT_EQ(one.driver().violations().total(), 0U);
  EXPECT_EQ(two.driver().violations().total(), 0U);
}

TEST_F(TwoDevices, ABrokenQueueOfOneLeavesTheOther) {
  Guest one(daemon_.socket(device_), 1);
  Guest two(daemon_.socket(other_), 2);
  auto& queue = one.driver().queue(Role::kInflate);
  queue.add_broken();
  queue.publish();
  two.live(5);
  EXPECT_EQ(two.changed(), 0U);
  EXPECT_TRUE(eventually([&] { return show().at("state") == "broken"; }));
  EXPECT_EQ(daemon_.show(other_).at("state"), "running");
}

TEST_F(TwoDevices, AVmmThatVanishesLeavesTheOther) {
  Guest two(daemon_.socket(other_), 2);
  for (int round = 0; round < 5; ++round) {
    const Guest one(daemon_.socket(device_), 1);
    two.live(2);
  }
  EXPECT_EQ(two.changed(), 0U);
}

/// The poll lcore reads rings in memory that is no longer there.
TEST_F(TwoDevices, AVmmThatShortensItsMemoryFileLeavesTheOther) {
  Guest two(daemon_.socket(other_), 2);
  {
    const Guest one(daemon_.socket(device_), 1);
    ASSERT_TRUE(eventually([&] { return show().at("state") == "running"; }));
    ASSERT_EQ(::ftruncate(one.ram().table_fds().at(0), 0),
              0);  // nobody here touches it from now on
    two.live(5);
    // The zeroes may look like a broken queue for a moment, until the control thread has looked.
    EXPECT_TRUE(eventually([&] {
      return show().at("reason").get<std::string>().find("was made shorter") != std::string::npos;
    }));
    EXPECT_EQ(show().at("state"), "broken");
    EXPECT_EQ(logged(device_ + ": memory of the guest is gone"), 1U);
    two.live(5);
  }
  EXPECT_EQ(two.changed(), 0U);
  EXPECT_TRUE(eventually([&] { return show().at("state") == "waiting"; }));
  Guest next(daemon_.socket(device_), 3);
  next.live(2);
  EXPECT_EQ(next.changed(), 0U);
  EXPECT_EQ(show().at("reason"), "");
}

TEST_F(TwoDevices, MemoryBeyondTheEndOfItsFileIsRefused) {
  Guest two(daemon_.socket(other_), 2);
  const auto short_ram = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
  ASSERT_EQ(::ftruncate(short_ram.table_fds().at(0), static_cast<off_t>(8 * kMiB)), 0);
  driver::FrontEnd vmm(must(driver::MessageSocket::connect(
                           daemon_.socket(device_), driver::Deadline(std::chrono::seconds(5)))),
                       std::chrono::seconds(2));
  must(vmm.get_features());
  must(vmm.set_owner());
  static_cast<void>(vmm.set_mem_table(short_ram));
  EXPECT_TRUE(eventually([&] { return logged(device_ + ": the VMM sent memory beyond") == 1; }));
  two.live(2);
  EXPECT_EQ(two.changed(), 0U);
}

}  // namespace
}  // namespace vballoon::model
