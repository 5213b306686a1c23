// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <string>

#include "base/nearest.hpp"

namespace vballoon {
namespace {

TEST(Nearest, FindsASlipOfTheHandAndNothingElse) {
  const std::string_view known[] = {"rpc_socket", "rpc_group", "log_level"};
  EXPECT_EQ(nearest("rpc_sockt", known), "rpc_socket");
  EXPECT_EQ(nearest("loglevel", known), "log_level");
  EXPECT_EQ(nearest("colour", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), known), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

}  // namespace
}  // namespace vballoon
