// SPDX-License-Identifier: BSD-3-Clause
//
// Source: docs/rpc.md, "device.readmit".
#include <gtest/gtest.h>

#include "methods_fixture.hpp"

namespace vballoon::service {
namespace {

using rpc::Json;

class ReadmitTest : public MethodsFixture {};

TEST_F(ReadmitTest, AVmThatWasSetAsideIsServedAgain) {
  vm::DeviceReport& device = fleet_.guest("vm1");
  device.state = vm::State::kSetAside;
  device.reason = "because";
  const Json listed = call("device.list", Json::object())->at("devices")[0];
  EXPECT_EQ(listed.at("state"), "set-aside");
  EXPECT_EQ(listed.at("reason"), "because");
  EXPECT_EQ(call("device.readmit", {{"name", "vm1"}})->dump(), "{}");
  EXPECT_EQ(call("device.show", {{"name", "vm1"}})->at("state"), "running");
}

TEST_F(ReadmitTest, TheVmHasToBeNamed) {
  const auto unnamed = call("device.readmit", Json::object());
  ASSERT_FALSE(unnamed);
  EXPECT_EQ(unnamed.error().code, rpc::kInvalidParams);
  const auto unknown = call("device.readmit", {{"name", "vm2"}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, rpc::kNotFound);
}

}  // namespace
}  // namespace vballoon::service
