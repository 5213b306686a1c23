// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_crew.cpp - a thread that stands still in one VM's memory loses its post,
//                                 and the other VMs go on.
// What stands still is a discard that waits for the test; the guard looks when the test says so.
// Nothing here depends on how long anything takes. A test that waits for what never comes ends with
// the runner's timeout.
#include "lcore/crew.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/eal.hpp"
#include "support/running.hpp"

namespace vballoon::lcore {
namespace {

using datapath::DeviceFixture;
using wire::Role;

ino_t inode_of(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return status.st_ino;
}

/// Lets nothing of one file through until the test says so.
class Gate final : public reclaim::Discarder {
 public:
  void close(DeviceFixture& device) {
    held_ = inode_of(device.path().memory()->regions()[0].fd.get());
    open = false;
  }
  void let_go() {
    open = true;
    open.notify_all();
  }
  [[nodiscard]] bool discard(int fd, std::uint64_t offset, std::uint64_t) noexcept override {
    if (inode_of(fd) != held_) return true;
    if (slow_us != 0) ::usleep(slow_us);
    ++entered;
    open.wait(false);
    const std::scoped_lock lock(mutex_);
    offsets_.push_back(offset);
    threads_.insert(std::this_thread::get_id());
    return true;
  }
  void wait_for_one() const {
    while (entered == 0) std::this_thread::yield();
  }
  /// Of the file that was held, in the order in which they were let through.
  [[nodiscard]] std::vector<std::uint64_t> offsets() {
    const std::scoped_lock lock(mutex_);
    return offsets_;
  }
  [[nodiscard]] std::set<std::thread::id> threads() {
    const std::scoped_lock lock(mutex_);
    return threads_;
  }

  std::atomic<bool> open{true};
  std::atomic<unsigned> entered{0};
  std::atomic<unsigned> slow_us{0};  // what each call takes

 private:
  std::atomic<ino_t> held_{0};
  std::mutex mutex_;
  std::vector<std::uint64_t> offsets_;
  std::set<std::thread::id> threads_;
};

/// @return what the process has open of threads of its own that are gone.
std::vector<std::string> files_of_ended_threads() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) {
    const auto target = std::filesystem::read_symlink(file.path(), ignored);
    if (target.parent_path().parent_path().filename() != "task") continue;
    if (!std::filesystem::exists(target.parent_path())) found.push_back(target.string());
  }
  return found;
}

/// A poll lcore, and a reclaim lcore where wanted, on threads of a crew.
class Lab {
 public:
  explicit Lab(bool reclaim_lcore) : poller(7, IdleStrategy::kBackoff, gate) {
    if (reclaim_lcore) {
      test::need_eal();
      auto made = reclaim::Engine::create(1, gate);
      EXPECT_TRUE(made.has_value());
      engine = std::move(*made);
      poller.use_engine(*engine);
      reclaim = std::make_unique<ReclaimLcore>(9, *engine, 0, IdleStrategy::kBackoff);
    }
    crew = std::make_unique<Crew>(engine.get());
    poller.use_crew(*crew);
    crew->recruit();
    threads.emplace_back([this] { crew->serve(poller); });
    if (reclaim) threads.emplace_back([this] { crew->serve(*reclaim); });
  }
  ~Lab() {
    gate.let_go();
    poller.stop();
    if (reclaim) reclaim->stop();
    crew->stop();
    for (std::thread& thread : threads) thread.join();
  }
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  /// The guard looks until this has come true.
  void look_until(const std::function<bool()>& what) const {
    while (!what()) {
      crew->look();
      crew->recruit();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void look_until_moved(DeviceFixture& device, std::uint64_t times = 1) const {
    look_until([&] { return conduct(device).lane_moves.get() >= times; });
  }
  static reclaim::Conduct& conduct(DeviceFixture& device) { return *device.path().conduct(); }

  void attach(DeviceFixture& device) { poller.attach(device.path(), 0); }
  void detach(DeviceFixture& device) {
    poller.detach(device.path());
    device.use_own_sink();
  }

  Gate gate;
  std::unique_ptr<reclaim::Engine> engine;
  Poller poller;
  std::unique_ptr<ReclaimLcore> reclaim;
  std::unique_ptr<Crew> crew;
  std::vector<std::thread> threads;
};

class CrewTest : public testing::TestWithParam<bool> {
 protected:
  CrewTest() : lab_(GetParam()) {
    for (DeviceFixture* device : {&slow_, &other_}) {
      device->driver_tells();
      device->start_all();
      lab_.attach(*device);
    }
    lab_.gate.close(slow_);
  }
  void inflate(DeviceFixture& device, std::uint32_t first, std::uint32_t count) {
    device.send_pfns(Role::kInflate,
                     static_cast<std::uint16_t>(device.ring(Role::kInflate).avail_idx() % 64),
                     datapath::pages_from(first, count));
  }
  /// In and out again: the deflate is a fence behind all discards.
  void go_on(DeviceFixture& device, unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
      inflate(device, i * 256U, 256);
      wait_for_used(device, Role::kInflate, device.ring(Role::kInflate).avail_idx());
      device.send_pfns(Role::kDeflate, static_cast<std::uint16_t>(i % 64),
                       datapath::pages_from(i * 256U, 1));
      wait_for_used(device, Role::kDeflate, device.ring(Role::kDeflate).avail_idx());
    }
  }

  DeviceFixture slow_;
  DeviceFixture other_;
  Lab lab_;
};

TEST_P(CrewTest, OthersGoOnWhileACallOfOneIsPending) {
  inflate(slow_, 0, 512);
  lab_.gate.wait_for_one();
  lab_.look_until_moved(slow_);
  go_on(other_, 20);
  EXPECT_TRUE(lab_.gate.offsets().empty()) << "its call still stands";
  EXPECT_EQ(Lab::conduct(other_).slow_calls.get(), 0U);
  EXPECT_GE(Lab::conduct(slow_).slow_calls.get(), 1U);
  EXPECT_EQ(Lab::conduct(slow_).alone, !GetParam())
      << "where reclaim lcores discard, its rings stay";
  EXPECT_FALSE(slow_.path().owner().may_use());
  EXPECT_FALSE(other_.path().owner().may_use());
  lab_.gate.let_go();
  wait_for_used(slow_, Role::kInflate, slow_.ring(Role::kInflate).avail_idx());
  go_on(slow_, 2);
  lab_.detach(slow_);
  lab_.detach(other_);
  EXPECT_EQ(slow_.reclaimed().in_flight.get(), 0U);
  EXPECT_EQ(lab_.gate.threads().size(), 1U) << "one thread in its file, and the same one";
}

TEST_P(CrewTest, ItsFencesWaitForTheCallThatStands) {
  inflate(slow_, 0, 512);
  lab_.gate.wait_for_one();
  lab_.look_until_moved(slow_);
  slow_.send_pfns(Role::kDeflate, 0, datapath::pages_from(3, 1));
  go_on(other_, 10);
  EXPECT_EQ(slow_.ring(Role::kDeflate).used_idx(), 0U);
  EXPECT_EQ(lab_.gate.offsets().size(), 0U);
  lab_.gate.let_go();
  wait_for_used(slow_, Role::kDeflate, 1);
  EXPECT_GE(lab_.gate.offsets().size(), 1U);
  lab_.detach(slow_);
  lab_.detach(other_);
}

TEST_P(CrewTest, ADetachFindsItWhereverItIs) {
  inflate(slow_, 0, 512);
  lab_.gate.wait_for_one();
  std::atomic<bool> detached{false};
  std::thread owner([&] {
    lab_.detach(slow_);  // begun on the lcore, or where it went
    detached = true;
  });
  lab_.look_until_moved(slow_);
  go_on(other_, 10);
  EXPECT_FALSE(detached);
  lab_.gate.let_go();
  owner.join();
  EXPECT_EQ(slow_.reclaimed().in_flight.get(), 0U);
  EXPECT_EQ(slow_.reclaimed().inflated.bytes.get(), 2 * kMiB);
  lab_.detach(other_);
}

/// Reattached it would hold the lcore up again, as often as its VMM likes.
TEST_P(CrewTest, ADeviceThatIsSlowIsAttachedToAThreadOfItsOwn) {
  inflate(slow_, 0, 512);
  lab_.gate.wait_for_one();
  lab_.look_until_moved(slow_);
  lab_.gate.let_go();
  for (unsigned round = 0; round < 3; ++round) {
    lab_.detach(slow_);
    lab_.attach(slow_);
    EXPECT_TRUE(Lab::conduct(slow_).alone);
    EXPECT_NE(slow_.path().carrier(), &lab_.poller);
    go_on(slow_, 2);
    go_on(other_, 2);
  }
  lab_.detach(slow_);
  Lab::conduct(slow_).slow_until_ms = 0;
  lab_.attach(slow_);
  EXPECT_FALSE(Lab::conduct(slow_).alone);
  EXPECT_EQ(slow_.path().carrier(), &lab_.poller);
  go_on(slow_, 2);
  lab_.detach(slow_);
  lab_.detach(other_);
}

TEST_P(CrewTest, AgainAndAgain) {
  for (unsigned round = 1; round <= 10; ++round) {
    lab_.gate.entered = 0;
    lab_.gate.close(slow_);
    inflate(slow_, round * 1024, 512);
    lab_.gate.wait_for_one();
    lab_.look_until([&] { return Lab::conduct(slow_).slow_calls.get() >= round; });
    go_on(other_, 2);
    lab_.gate.let_go();
    wait_for_used(slow_, Role::kInflate, slow_.ring(Role::kInflate).avail_idx());
    // As if it had behaved for long: its lane is closed, its rings go back.
    lab_.detach(slow_);
    Lab::conduct(slow_).slow_until_ms = 0;
    lab_.look_until([&] { return Lab::conduct(slow_).lane == nullptr; });
    lab_.attach(slow_);
  }
  EXPECT_GE(Lab::conduct(slow_).lane_moves.get(), 5U);
  EXPECT_EQ(files_of_ended_threads(), std::vector<std::string>());
  go_on(slow_, 2);
  lab_.detach(slow_);
  lab_.detach(other_);
  EXPECT_EQ(slow_.reclaimed().in_flight.get(), 0U);
}

/// None lasts from one look to the next.
TEST_P(CrewTest, ManyShortWaitsAreAsBadAsALongOne) {
  lab_.gate.let_go();
  lab_.gate.slow_us = 300;
  std::atomic<bool> stop{false};
  std::thread driver([&] {
    for (std::uint32_t page = 0; !stop; page = (page + 512) % 32'768) {
      inflate(slow_, page, 256);
      wait_for_used(slow_, Role::kInflate, slow_.ring(Role::kInflate).avail_idx());
    }
  });
  lab_.look_until_moved(slow_);
  go_on(other_, 2);
  stop = true;
  driver.join();
  lab_.gate.slow_us = 0;
  lab_.detach(slow_);
  lab_.detach(other_);
  EXPECT_EQ(Lab::conduct(other_).lane_moves.get(), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, CrewTest, testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "ReclaimLcore" : "Inline");
});

/// What is long, but does not sleep, keeps its post: it has work, or somebody else has its cpu.
TEST(Crew, WhoIsBusyKeepsHisPost) {
  Lab lab(false);
  DeviceFixture f;
  f.start_all();
  lab.attach(f);
  for (int i = 0; i < 50; ++i) {
    lab.crew->look();
    f.send_pfns(Role::kInflate, static_cast<std::uint16_t>(i % 64), datapath::pages_from(0, 64));
    wait_for_used(f, Role::kInflate, static_cast<std::uint16_t>(i + 1));
  }
  EXPECT_EQ(Lab::conduct(f).lane_moves.get(), 0U);
  lab.detach(f);
}

}  // namespace
}  // namespace vballoon::lcore
