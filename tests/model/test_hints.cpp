// SPDX-License-Identifier: BSD-3-Clause
//
// What the guest says of its free pages: hints (VIRTIO 1.2, 5.5.6.5) and poison (5.5.6.6).
#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using std::chrono::seconds;
using wire::Feature;

class HintsTest : public DaemonTest {
 protected:
  void SetUp() override {
    driver_ = connect();
    pages_ = fill(*driver_);
    ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  }
  [[nodiscard]] std::vector<GpaRange> range(std::size_t first, std::size_t count) const {
    return {{to_gpa(pages_[first]), pages_to_bytes(count)}};
  }
  [[nodiscard]] Json hints() { return show().at("hints"); }
  /// The VMM tells its guest, which reads the command.
  void expect_told() { EXPECT_TRUE(must(driver_->serve(driver::Deadline(seconds(2))))); }

  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
};

TEST_F(HintsTest, ARoundIsAskedForCountedAndEnded) {
  EXPECT_EQ(hints().at("state"), "idle");
  EXPECT_EQ(must(driver_->hint_command()), 1U);
  const std::uint32_t id = command_hints("start");
  EXPECT_GE(id, 2U);
  expect_told();
  EXPECT_EQ(must(driver_->hint_command()), id);
  EXPECT_EQ(hints().at("state"), "asked");

  must(driver_->begin_hints(id));
  EXPECT_EQ(hints().at("state"), "running");
  must(driver_->hint_pages(range(0, 1024)));
  must(driver_->hint_pages(range(2048, 512)));
  EXPECT_EQ(hints().at("bytes"), 1536 * kPageSize);
  must(driver_->end_hints());
  EXPECT_EQ(hints().at("state"), "complete");

  EXPECT_EQ(command_hints("done"), 1U);
  expect_told();
  EXPECT_EQ(must(driver_->hint_command()), 1U);
  EXPECT_EQ(hints().at("state"), "idle");
  EXPECT_EQ(counter("hint_pages"), 1536U);
  expect_untouched(pages_);
  expect_ballooned(0);
  expect_no_violations(*driver_);
}

TEST_F(HintsTest, AStoppedRoundIsFollowedByAnother) {
  const std::uint32_t first = command_hints("start");
  must(driver_->begin_hints(first));
  must(driver_->hint_pages(range(0, 10)));
  EXPECT_EQ(command_hints("stop"), 0U);
  EXPECT_EQ(hints().at("state"), "stopped");
  must(driver_->hint_pages(range(10, 10)));
  must(driver_->end_hints());
  const std::uint32_t second = command_hints("start");
  EXPECT_NE(second, first);
  // One that is slow to see it.
  must(driver_->begin_hints(first));
  must(driver_->hint_pages(range(20, 10)));
  must(driver_->begin_hints(second));
  must(driver_->hint_pages(range(30, 7)));
  EXPECT_EQ(counter("hint_pages"), 17U);
  EXPECT_EQ(counter("stale_hints"), 20U);
  EXPECT_EQ(hints().at("bytes"), 7 * kPageSize);
  expect_untouched(pages_);
}

TEST_F(HintsTest, ARoundOutlivesAPauseAndEndsWithAReset) {
  // A ring that was never used does not tell a pause from a reset.
  must(driver_->inflate(std::span(pages_).subspan(5000, 1)));
  const std::uint32_t id = command_hints("start");
  must(driver_->begin_hints(id));
  must(driver_->pause());
  must(driver_->resume());
  must(driver_->hint_pages(range(0, 5)));
  EXPECT_EQ(counter("hint_pages"), 5U);
  must(driver_->reset());
  EXPECT_EQ(must(driver_->hint_command()), 1U);
  must(driver_->hint_pages(range(0, 5)));
  EXPECT_EQ(counter("hint_pages"), 5U);
  EXPECT_EQ(counter("stale_hints"), 5U);
}

TEST_F(HintsTest, ADriverWithoutTheQueueIsNamed) {
  DriverOptions options;
  options.features = all_but({Feature::kFreePageHint});
  must(driver_->reset(of_this_run(options)));
  const auto refused = daemon_.try_call("device.hint", {{"name", device_}, {"action", "start"}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("FREE_PAGE_HINT"), std::string::npos);
}

/// A daemon that offers PAGE_POISON to one guest.
class PoisonTest : public ::testing::Test {
 protected:
  std::unique_ptr<BalloonDriver> connect(std::uint32_t value) {
    DriverOptions options;
    options.poison_value = value;
    return model::connect(socket_, ram_, options);
  }
  std::uint64_t kept() { return daemon_.show("vm").at("counters").at("reports_kept"); }

  TemporaryFolder folder_;
  const std::string socket_ = folder_.path() / "vm.sock";
  Daemon daemon_{{},
                 "[[device]]\nname = \"vm\"\npage_poison = true\nsocket = \"" + socket_ + "\"\n"};
  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
};

TEST_F(PoisonTest, ReportsAreKeptWhileTheGuestPoisonsItsPages) {
  const auto driver = connect(0xAAAAAAAA);
  ASSERT_TRUE(driver->acked().has(Feature::kPagePoison));
  const auto pages = usable_pages(ram_, *driver);
  driver::fill_canaries(ram_, pages, 1);
  must(driver->report(std::vector<GpaRange>{{to_gpa(pages[0]), 1024 * kPageSize}}));
  EXPECT_EQ(driver::check_canaries(ram_, pages, 1).changed, 0U);
  EXPECT_EQ(kept(), 1024U);
  EXPECT_EQ(daemon_.show("vm").at("poison_value"), 0xAAAAAAAA);

  // What is in the balloon holds no pattern: the driver writes it when it takes a page back.
  must(driver->inflate(std::span(pages).first(10)));
  EXPECT_TRUE(eventually([&] { return ram_.reads_zero(pages[0]); }));
}

TEST_F(PoisonTest, AGuestThatClearsItsPagesReportsThem) {
  const auto driver = connect(0);
  const auto pages = usable_pages(ram_, *driver);
  driver::fill_canaries(ram_, pages, 1);
  must(driver->report(std::vector<GpaRange>{{to_gpa(pages[0]), 1024 * kPageSize}}));
  EXPECT_TRUE(ram_.reads_zero(pages[0]));
  EXPECT_EQ(kept(), 0U);
}

TEST_F(PoisonTest, TheNextDriverMayNotPoison) {
  auto driver = connect(0xAAAAAAAA);
  DriverOptions plain;
  plain.features = all_but({Feature::kPagePoison});
  must(driver->reset(of_this_run(plain)));
  const auto pages = usable_pages(ram_, *driver);
  driver::fill_canaries(ram_, pages, 1);
  must(driver->report(std::vector<GpaRange>{{to_gpa(pages[0]), 1024 * kPageSize}}));
  EXPECT_TRUE(ram_.reads_zero(pages[0]));
}

TEST(Poison, IsOfferedOnlyWhereTheOperatorSaysSo) {
  Daemon daemon({"vm"});
  const auto ram = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
  EXPECT_FALSE(connect(daemon.socket("vm"), ram)->offered().has(Feature::kPagePoison));
}

}  // namespace
}  // namespace vballoon::model
