// SPDX-License-Identifier: BSD-3-Clause
//
// Targets that outlive their VM, and drivers that go on where this daemon has not seen them move.
#include <signal.h>

#include <array>
#include <fstream>
#include <thread>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using std::chrono::seconds;

class Targets : public DaemonTest {
 protected:
  Json set(const Json& params) {
    Json all = params;
    all["name"] = device_;
    return daemon_.call("device.set", all);
  }
  [[nodiscard]] std::string refused(const Json& params) {
    Json all = params;
    all["name"] = device_;
    const auto outcome = daemon_.try_call("device.set", all);
    return outcome ? "" : outcome.error().message;
  }
  /// A VM comes, and is gone again afterwards.
  void expect_target_of_a_vm(std::uint64_t memory, std::uint64_t target) {
    {
      const auto ram = must(GuestRam::create(driver::flat_ram(memory)));
      const auto vm = model::connect(daemon_.socket(device_), ram);
      EXPECT_EQ(must(vm->num_pages()), bytes_to_pages(target));
      EXPECT_EQ(show().at("target_bytes"), target);
    }
    ASSERT_TRUE(eventually([this] { return show().at("state") == "waiting"; }));
  }
};

TEST_F(Targets, AShareIsOneOfWhateverVmComes) {
  const Json said = set({{"size", "50%"}});
  EXPECT_TRUE(said.at("target_bytes").is_null()) << "of what nobody knows yet";
  EXPECT_EQ(said.at("target_share"), 0.5);
  EXPECT_TRUE(show().at("target_bytes").is_null());
  expect_target_of_a_vm(32 * kMiB, 16 * kMiB);
  expect_target_of_a_vm(16 * kMiB, 8 * kMiB);
  EXPECT_EQ(show().at("target_share"), 0.5);
}

/// Of memory that was plugged into it a guest says when it has it.
TEST_F(Targets, AShareFollowsWhatTheGuestSaysThatItHas) {
  const auto driver = connect();
  EXPECT_EQ(set({{"size", "50%"}}).at("target_bytes"), 16 * kMiB);
  must(ram_.plug(Gpa{kGiB}, 32 * kMiB));
  must(driver->update_memory());
  EXPECT_EQ(show().at("target_bytes"), 16 * kMiB) << "it has not said so";
  const auto says = [&](std::uint64_t total) {
    constexpr std::uint16_t kTotal = 5;  // VIRTIO_BALLOON_S_MEMTOT
    driver->set_stats({{kTotal, total}});
    return eventually([&] {
      static_cast<void>(daemon_.try_call("device.stats", {{"name", device_}, {"timeout_ms", 0}}));
      static_cast<void>(driver->serve(driver::Deadline(std::chrono::milliseconds(5))));
      return show().at("guest_bytes") == total;
    });
  };
  ASSERT_TRUE(says(64 * kMiB));
  EXPECT_TRUE(eventually([&] { return must(driver->num_pages()) == bytes_to_pages(32 * kMiB); }));
  ASSERT_TRUE(says(64 * kMiB - 16 * kPageSize));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  EXPECT_EQ(must(driver->num_pages()), bytes_to_pages(32 * kMiB))
      << "what its figures waver by is no news";
}

TEST_F(Targets, LeaveTheGuestEnoughUnlessForced) {
  const auto driver = connect();
  EXPECT_NE(refused({{"size", "25M"}}).find("24 MiB is the most"), std::string::npos)
      << refused({{"size", "25M"}});
  EXPECT_NE(refused({{"size", "100%"}}), "");
  EXPECT_EQ(must(driver->num_pages()), 0U);
  EXPECT_EQ(set({{"size", "24M"}}).at("target_bytes"), 24 * kMiB);
  const Json forced = set({{"size", "30M"}, {"force", true}});
  EXPECT_EQ(forced.at("target_bytes"), 30 * kMiB);
  EXPECT_EQ(forced.at("warnings").size(), 1U) << forced << ": it is more than 90 %";
  EXPECT_NE(refused({{"size", "33M"}, {"force", true}}), "") << "there is no such memory";
}

TEST_F(Targets, ForcedIsForcedForTheNextVm) {
  set({{"size", "32M"}, {"force", true}});
  expect_target_of_a_vm(16 * kMiB, 16 * kMiB);
  set({{"size", "32M"}});
  expect_target_of_a_vm(16 * kMiB, 12 * kMiB);
}

TEST_F(Targets, OfANewDriverItsSizeIsKnown) {
  set({{"size", "8M"}});
  const auto driver = connect();
  EXPECT_EQ(show().at("actual_bytes"), 0U) << "a new driver's balloon is empty";
  EXPECT_EQ(must(driver->num_pages()), bytes_to_pages(8 * kMiB));
}

/// Nobody has seen it move: its VM was restored, or came from another host.
class GoingOn : public Targets {
 protected:
  void SetUp() override {
    must(driver_->inflate(std::span(pages_).first(600)));
    must(driver_->write_actual(600));
  }
  void go_on() {
    must(driver_->reconnect(must(
        driver::MessageSocket::connect(daemon_.socket(device_), driver::Deadline(seconds(5))))));
    ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  }
  [[nodiscard]] bool is_told() { return must(driver_->serve(driver::Deadline(seconds(5)))); }
  /// Whether it is shown this target, now or in a while.
  [[nodiscard]] bool sees(std::uint32_t pages) {
    const auto end = std::chrono::steady_clock::now() + seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (must(driver_->num_pages()) == pages) return true;
    }
    return false;
  }

  Daemon elsewhere_{{"vm"}};
  std::unique_ptr<BalloonDriver> driver_ =
      model::connect(elsewhere_.socket("vm"), ram_, of_this_run(DriverOptions{}));
  std::vector<Pfn> pages_ = fill(*driver_);
};

TEST_F(GoingOn, IsToldItsTargetAndItsSizeIsNotKnown) {
  go_on();
  EXPECT_TRUE(show().at("actual_bytes").is_null()) << show().at("actual_bytes");
  EXPECT_TRUE(is_told());
  EXPECT_TRUE(sees(0));
  must(driver_->deflate(std::span(pages_).first(600)));
  must(driver_->write_actual(0));
  EXPECT_EQ(show().at("actual_bytes"), 0U);
}

/// It has nothing to do, and would never say what it has.
TEST_F(GoingOn, IsAskedForItsSizeWhereItIsAtItsTarget) {
  set({{"target_bytes", 600 * kPageSize}});
  go_on();
  EXPECT_TRUE(is_told());
  ASSERT_TRUE(sees(584));
  EXPECT_EQ(show().at("target_bytes"), 600 * kPageSize) << "that is what it is to have";
  EXPECT_TRUE(show().at("actual_bytes").is_null());
  must(driver_->write_actual(584));
  EXPECT_EQ(show().at("actual_bytes"), 584 * kPageSize);
  EXPECT_TRUE(sees(600));
  EXPECT_GE(driver_->config_changes(), 1U);
}

TEST_F(GoingOn, IsLeftWithTheTrueTargetWhereItDoesNotAnswer) {
  set({{"target_bytes", kMiB}});
  go_on();
  EXPECT_TRUE(sees(240));
  EXPECT_TRUE(sees(256));
  EXPECT_TRUE(show().at("actual_bytes").is_null());
}

TEST_F(Targets, AStoppedGuestIsCountedOnForWhatItDoesNotTake) {
  const auto driver = connect(late());
  const auto pages = fill(*driver);
  must(driver->inflate(std::span(pages).first(1000)));
  must(driver->pause());
  ASSERT_TRUE(eventually([this] { return show().at("state") == "stopped"; }));
  EXPECT_EQ(show().at("reclaimed_bytes"), 1000 * kPageSize) << "it may be paused";
  // It was reset, and its kernel has no driver.
  driver::fill_canaries(ram_, std::span(pages).first(400), 1);
  EXPECT_EQ(show().at("reclaimed_bytes"), 600 * kPageSize);
  const auto stats = daemon_.try_call("device.stats", {{"name", device_}});
  ASSERT_FALSE(stats);
  EXPECT_NE(stats.error().message.find("rings are stopped"), std::string::npos)
      << stats.error().message;
  must(driver->resume());
  EXPECT_EQ(show().at("state"), "running");
}

/// A state folder in which no new file can be made, as on a full disk.
class FullFolder : public ::testing::Test {
 protected:
  [[nodiscard]] Json set(std::uint64_t mib) {
    return daemon_.call("device.set", {{"name", "vm"}, {"target_bytes", mib * kMiB}});
  }
  void fill_up() const { std::filesystem::create_directories(obstacle_ / "full"); }
  void make_room() const { std::filesystem::remove_all(obstacle_); }

  Daemon daemon_{{"vm"}, {}, true};
  const std::filesystem::path state_ = daemon_.folder() / "state";
  const std::filesystem::path obstacle_ = state_ / ".vm.new";
};

TEST_F(FullFolder, KeepsWishesOfVmsThatCome) {
  EXPECT_EQ(set(16).at("kept"), true);
  fill_up();
  {
    const GuestRam ram = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
    const auto vm = model::connect(daemon_.socket("vm"), ram);
    ASSERT_NE(daemon_.log().find("its balloon will not outlive the daemon"), std::string::npos);
    EXPECT_EQ(set(0).at("kept"), true);
    EXPECT_EQ(daemon_.call("device.inhibit", {{"name", "vm"}, {"on", true}}).at("kept"), true);
  }
  make_room();
  daemon_.restart(SIGKILL);
  EXPECT_EQ(daemon_.show("vm").at("target_bytes"), 0U);
  EXPECT_EQ(daemon_.show("vm").at("inhibited"), true);
}

TEST_F(FullFolder, SaysWhatIsNotKeptAndTriesAgain) {
  EXPECT_EQ(set(16).at("kept"), true);
  std::filesystem::remove(state_ / "vm.state");
  fill_up();
  daemon_.restart(SIGTERM);
  const Json said = set(8);
  EXPECT_EQ(said.at("kept"), false);
  ASSERT_EQ(said.at("warnings").size(), 1U);
  EXPECT_NE(said.at("warnings")[0].get<std::string>().find("only as long as this daemon runs"),
            std::string::npos);
  EXPECT_EQ(daemon_.call("policy.auto", {{"name", "vm"}, {"on", false}}).at("kept"), false);
  make_room();
  const auto kept = [this] { return daemon_.show("vm").at("kept") == true; };
  ASSERT_TRUE(eventually(kept) || eventually(kept)) << daemon_.show("vm").at("why_not_kept");
  daemon_.restart(SIGKILL);
  EXPECT_EQ(daemon_.show("vm").at("target_bytes"), 8 * kMiB);
}

TEST(Shares, OutliveTheDaemon) {
  Daemon daemon({"vm"}, {}, true);
  daemon.call("device.set", {{"name", "vm"}, {"size", "25%"}, {"force", true}});
  daemon.restart(SIGKILL);
  EXPECT_EQ(daemon.show("vm").at("target_share"), 0.25);
  EXPECT_EQ(daemon.show("vm").at("forced"), true);
}

}  // namespace
}  // namespace vballoon::model
