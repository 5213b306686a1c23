// SPDX-License-Identifier: BSD-3-Clause
//
// Methods about the daemon itself, of one that nobody starts again.
#include <gtest/gtest.h>

#include "methods_fixture.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

class DaemonMethods : public MethodsFixture {};

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
