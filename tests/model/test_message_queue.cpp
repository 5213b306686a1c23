// SPDX-License-Identifier: BSD-3-Clause
//
// A device with the message queue: guests that tell of pressure, and those that know nothing of it.
// Source: "virtio-balloon: add pressure notification via a new virtqueue" (2013).
#include <algorithm>
#include <string>
#include <vector>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::Numbering;
using driver::Segment;
using wire::Feature;

bool has(const Json& names, const char* name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class MessageQueue : public ::testing::Test {
 protected:
  static DriverOptions speaking() {
    DriverOptions options;
    options.message_queue = true;
    return options;
  }
  [[nodiscard]] std::unique_ptr<BalloonDriver> connect(const DriverOptions& options) {
    return model::connect(socket_, ram_, options);
  }
  Json show() { return daemon_.show("vm"); }
  std::uint64_t counter(const char* name) { return show().at("counters").at(name); }
  /// As the operator sees it; null where the device has none.
  Json queue(const std::string& role) {
    const Json device = show();
    for (const Json& queue : device.at("queues")) {
      if (queue.at("role") == role) return queue;
    }
    return nullptr;
  }
  /// The balloon works, and so do statistics.
  void expect_served(BalloonDriver& driver) {
    const auto pages = usable_pages(ram_, driver);
    driver::fill_canaries(ram_, pages, 1);
    must(driver.inflate(std::span(pages).first(300)));
    EXPECT_TRUE(eventually([&] { return ram_.reads_zero(pages[299]); }));
    must(driver.deflate(std::span(pages).first(300)));
    EXPECT_EQ(driver::check_canaries(ram_, std::span(pages).subspan(300), 1).changed, 0U);
    if (driver.queue_number(Role::kStats)) {
      EXPECT_TRUE(eventually([this] { return !show().at("stats").is_null(); }));
    }
    EXPECT_EQ(show().at("state"), "running");
    EXPECT_EQ(driver.violations().total(), 0U);
  }
  /// One buffer on the message queue, which must come back once.
  static void say(BalloonDriver& driver, const std::vector<Segment>& segments) {
    driver::DriverQueue& queue = driver.queue(Role::kMessage);
    ASSERT_TRUE(queue.add(segments));
    queue.publish();
    must(driver.await(queue));
    EXPECT_FALSE(queue.poll());
  }

  TemporaryFolder folder_;
  const std::string socket_ = folder_.path() / "vm.sock";
  Daemon daemon_{{},
                 "[[device]]\nname = \"vm\"\nmessage_queue = true\nsocket = \"" + socket_ + "\"\n"};
  GuestRam ram_ = must(GuestRam::create(driver::flat_ram(32 * kMiB)));
};

TEST_F(MessageQueue, PressureIsCountedAndEachBufferComesBackOnce) {
  const auto driver = connect(speaking());
  EXPECT_EQ(driver->queue_number(Role::kMessage), 3U);
  expect_served(*driver);
  EXPECT_EQ(counter("pressure_messages"), 0U);
  for (std::uint64_t sent = 1; sent <= 300; ++sent) {
    must(driver->send_pressure());
    if (sent % 100 == 0) {
      EXPECT_EQ(counter("pressure_messages"), sent);
    }
  }
  EXPECT_FALSE(driver->queue(Role::kMessage).poll());
  EXPECT_EQ(counter("unknown_messages"), 0U);
  const Json ring = queue("message");
  EXPECT_EQ(ring.at("index"), 3);
  EXPECT_EQ(ring.at("state"), "running");
  EXPECT_EQ(ring.at("buffers"), 300);
  expect_served(*driver);
}

TEST_F(MessageQueue, BitTwoIsOfferedForItAloneAndCalledByItsName) {
  const auto driver = connect(speaking());
  ASSERT_TRUE(eventually([this] { return show().at("state") == "running"; }));
  EXPECT_TRUE(driver->offered().has(Feature::kDeflateOnOom));
  EXPECT_FALSE(driver->offered().has(Feature::kFreePageHint));
  EXPECT_FALSE(driver->offered().has(Feature::kReporting));
  const Json features = show().at("features");
  for (const char* const set : {"offered", "acked"}) {
    EXPECT_TRUE(has(features.at(set), "MESSAGE_VQ")) << set;
    EXPECT_TRUE(has(features.at(set), "STATS_VQ")) << set;
    for (const char* const other : {"DEFLATE_ON_OOM", "FREE_PAGE_HINT", "REPORTING"}) {
      EXPECT_FALSE(has(features.at(set), other)) << set << ": " << other;
    }
  }
  EXPECT_TRUE(queue("hint").is_null());
  EXPECT_TRUE(queue("report").is_null());
}

/// It takes bit 2 for DEFLATE_ON_OOM.
TEST_F(MessageQueue, AStockDriverIsServedAndHasNoRingThere) {
  const auto driver = connect({});
  ASSERT_TRUE(driver->acked().has(Feature::kDeflateOnOom));
  EXPECT_EQ(driver->send_pressure().error().code, Code::kUnavailable);
  expect_served(*driver);
  EXPECT_EQ(queue("message").at("state"), "stopped");
  EXPECT_EQ(counter("pressure_messages"), 0U);
}

TEST_F(MessageQueue, AnyNumberingOfADriverWithoutStatisticsIsUnderstood) {
  DriverOptions options = speaking();
  options.features = all_but({Feature::kStatsVq});
  auto driver = connect(options);
  EXPECT_EQ(driver->queue_number(Role::kMessage), 2U);
  must(driver->send_pressure());
  options.numbering = Numbering::kSpec;
  must(driver->reset(of_this_run(options)));
  EXPECT_EQ(driver->queue_number(Role::kMessage), 3U);
  must(driver->send_pressure());
  EXPECT_EQ(counter("pressure_messages"), 2U);
  expect_served(*driver);
}

TEST_F(MessageQueue, CountsGoOnThroughPausesAndResets) {
  const auto driver = connect(speaking());
  must(driver->send_pressure());
  must(driver->pause());
  must(driver->resume());
  must(driver->send_pressure());
  EXPECT_EQ(counter("pressure_messages"), 2U) << "no message is heard twice";
  must(driver->reset());
  must(driver->send_pressure());
  EXPECT_EQ(counter("pressure_messages"), 3U);
  must(driver->reset(of_this_run(DriverOptions{})));
  EXPECT_EQ(queue("message").at("state"), "stopped") << "of a guest that has no such driver";
  expect_served(*driver);
}

TEST_F(MessageQueue, BuffersThatCannotBeComeBackAllTheSame) {
  const auto driver = connect(speaking());
  const Gpa zeroes{16 * kMiB};
  say(*driver, {{zeroes, 0, false}});
  say(*driver, {{zeroes, 3, false}});
  say(*driver, {{zeroes, 5, false}});
  EXPECT_EQ(counter("odd_bytes"), 4U);
  EXPECT_EQ(counter("unknown_messages"), 1U);
  say(*driver, {{zeroes, 4, true}});
  EXPECT_EQ(counter("wrong_direction"), 1U);
  say(*driver, {{zeroes, UINT32_MAX, false}});
  say(*driver, {{Gpa{kGiB}, 4, false}});
  EXPECT_EQ(counter("bad_chains"), 2U);
  say(*driver, {{zeroes, 8 * kMiB, false}});
  EXPECT_EQ(counter("messages_truncated"), 1U);
  EXPECT_EQ(counter("unknown_messages"), 1025U);
  must(driver->send_pressure());
  EXPECT_EQ(counter("pressure_messages"), 1U);
  expect_served(*driver);
}

class NoMessageQueue : public DaemonTest {};

TEST_F(NoMessageQueue, UnlessTheOperatorSaysSo) {
  DriverOptions options;
  options.message_queue = true;
  const auto driver = connect(options);
  EXPECT_EQ(driver->queue_number(Role::kMessage), std::nullopt);
  EXPECT_EQ(queue_state(Role::kMessage), "missing");
  EXPECT_EQ(show().at("queues").size(), 5U);
  EXPECT_TRUE(has(show().at("features").at("offered"), "DEFLATE_ON_OOM"));
  EXPECT_FALSE(has(show().at("features").at("offered"), "MESSAGE_VQ"));
}

}  // namespace
}  // namespace vballoon::model
