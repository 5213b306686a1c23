// SPDX-License-Identifier: BSD-3-Clause
//
// Methods about the daemon itself, of one that nobody starts again.
#include <gtest/gtest.h>

#include "fake_fleet.hpp"
#include "fake_host.hpp"
#include "service/rpc/methods.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

class DaemonMethods : public testing::Test {
 protected:
  rpc::Outcome<Json> call(const char* method) {
    std::optional<rpc::Outcome<Json>> answer;
    methods_.call({1, false, method, Json::object()}, [&](const rpc::Outcome<rpc::Body>& said) {
      answer = said.map([](const rpc::Body& body) { return Json::parse(body.text); });
    });
    return answer.value_or(rpc::refuse(0, "no answer"));
  }

  asio::io_context loop_;
  FakeFleet fleet_;
  FakeHost host_;
  std::unique_ptr<policy::Autopilot> autopilot_ = host_.open(loop_, fleet_);
  VmSettings settings_{fleet_, *autopilot_};
  Methods methods_{loop_, fleet_, *autopilot_, settings_, Json::object()};
};

TEST_F(DaemonMethods, RestartsAreThoseOfEachVm) {
  fleet_.guest("a").restarts = {2, 210, 350, 1'700'000'000'000};
  fleet_.guest("b").why_not_outlives = "nobody keeps it";
  const Json said = call("daemon.restarts").value_or(Json());
  EXPECT_EQ(said.at("started_by"), "nobody");
  const Json& vms = said.at("vms");
  ASSERT_EQ(vms.size(), 2U);
  EXPECT_EQ(vms[0].at("restarts"), Json({{"count", 2},
                                         {"last_ms", 210},
                                         {"longest_ms", 350},
                                         {"last_at_ms", 1'700'000'000'000}}));
  EXPECT_EQ(vms[0].at("outlives"), true);
  EXPECT_EQ(vms[1].at("outlives"), false);
  EXPECT_EQ(vms[1].at("why_not_outlives"), "nobody keeps it");
}

TEST_F(DaemonMethods, AnUpgradeIsRefused) {
  const auto refused = call("daemon.upgrade");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, rpc::kUnavailable);
}

}  // namespace
}  // namespace vballoon::service
