// SPDX-License-Identifier: BSD-3-Clause
//
// The methods of RPC over VMs that are not there.
#pragma once

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "fake_fleet.hpp"
#include "fake_host.hpp"
#include "service/rpc/methods.hpp"
#include "service/vm_settings.hpp"

namespace vballoon::service {

class MethodsFixture : public testing::Test {
 protected:
  /// @pre  the method answers at once.
  rpc::Outcome<rpc::Json> call(const char* method, rpc::Json params = rpc::Json::object()) {
    std::optional<rpc::Outcome<rpc::Json>> answer;
    methods_.call(
        {1, false, method, std::move(params)}, nullptr, [&](const rpc::Outcome<rpc::Body>& said) {
          answer = said.map([](const rpc::Body& body) { return rpc::Json::parse(body.text); });
        });
    EXPECT_TRUE(answer) << method << " did not answer at once";
    return answer.value_or(rpc::refuse(0, ""));
  }

  asio::io_context loop_;
  FakeFleet fleet_;
  FakeHost host_;
  std::unique_ptr<policy::Autopilot> autopilot_ = host_.open(loop_, fleet_);
  VmSettings settings_{fleet_, *autopilot_};
  Methods methods_{loop_, fleet_, *autopilot_, settings_, rpc::Json{{"version", "1.2.3"}}};
};

}  // namespace vballoon::service
