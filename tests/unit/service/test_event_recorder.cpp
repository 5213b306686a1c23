// SPDX-License-Identifier: BSD-3-Clause
//
// What the recorder asks of VMs, and when.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "fake_fleet.hpp"
#include "fake_host.hpp"
#include "service/events/recorder.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

class EventRecorderTest : public testing::Test {
 protected:
  /// @return the newest event; null where there is none.
  Json newest() {
    Json event;
    log_.wait({0, 1}, std::chrono::milliseconds(0), this, [&](const auto& outcome) {
      const Json events = Json::parse(outcome.value().text).at("events");
      if (!events.empty()) event = events.back();
    });
    return event;
  }

  asio::io_context loop_;
  FakeFleet fleet_;
  FakeHost host_;
  std::unique_ptr<policy::Autopilot> autopilot_ = host_.open(loop_, fleet_);
  EventLog log_{loop_, 1};
  EventRecorder recorder_{fleet_, *autopilot_, log_};
};

TEST_F(EventRecorderTest, ABrokenQueueIsNamedWithItsReason) {
  vm::DeviceReport& guest = fleet_.guest("vm1");
  recorder_.look();
  EXPECT_EQ(newest(), nullptr);
  guest.state = vm::State::kBroken;
  guest.queues = {{0, "inflate", "broken", "a chain that loops", 128, 7}};
  recorder_.look();
  EXPECT_EQ(newest().at("kind"), "broken");
  EXPECT_EQ(newest().at("text"), "its balloon does not work: inflate queue: a chain that loops");
}

TEST_F(EventRecorderTest, AReportIsMadeOnlyForWhatIsNews) {
  fleet_.guest("vm1");
  recorder_.look();
  const unsigned first = fleet_.vm("vm1").reports;
  for (int i = 0; i < 3; ++i) recorder_.look();
  EXPECT_EQ(fleet_.vm("vm1").reports, first);
  fleet_.report("vm1").state = vm::State::kBroken;
  for (int i = 0; i < 3; ++i) recorder_.look();
  EXPECT_EQ(fleet_.vm("vm1").reports, first + 1);
}

TEST_F(EventRecorderTest, AVmThatOutlivedADaemonIsToldAtTheFirstLook) {
  vm::DeviceReport& guest = fleet_.guest("vm1");
  guest.restarts.count = 1;
  guest.restarts.last_ms = 34;
  recorder_.look();
  EXPECT_EQ(newest().at("kind"), "outlived");
  EXPECT_EQ(newest().at("number"), 1);
}

}  // namespace
}  // namespace vballoon::service
