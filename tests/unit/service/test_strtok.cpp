// SPDX-License-Identifier: BSD-3-Clause
//
// The daemon's strtok(3), which DPDK's telemetry gets: one client's text is no other one's.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>

#include "service/telemetry/telemetry.hpp"

namespace vballoon::service {
namespace {

TEST(Strtok, OfEachThreadGoesOnInItsOwnText) {
  std::string one = "/balloon/info,vm1";
  EXPECT_STREQ(std::strtok(one.data(), ","), "/balloon/info");
  std::thread([] {
    std::string two = "/balloon/list,vm2";
    EXPECT_STREQ(std::strtok(two.data(), ","), "/balloon/list");
  }).join();
  EXPECT_STREQ(std::strtok(nullptr, ""), "vm1");
  EXPECT_EQ(std::strtok(nullptr, ""), nullptr);
}

}  // namespace
}  // namespace vballoon::service
