// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "service/config/config.hpp"

namespace vballoon::service {
namespace {

TEST(DeviceOption, IsNameAndSocket) {
  const auto device = parse_device_option("vm1=./vm1.sock");
  ASSERT_TRUE(device);
  EXPECT_EQ(*device, (vm::Settings{"vm1", "./vm1.sock", false}));
}

TEST(DeviceOption, MayConnectInsteadOfListening) {
  const auto device = parse_device_option("vm1=client:/run/vm1.sock");
  ASSERT_TRUE(device);
  EXPECT_EQ(*device, (vm::Settings{"vm1", "/run/vm1.sock", true}));
}

TEST(DeviceOption, KeepsFurtherEqualsSigns) {
  const auto device = parse_device_option("vm1=/run/a=b.sock");
  ASSERT_TRUE(device);
  EXPECT_EQ(device->socket, "/run/a=b.sock");
}

TEST(DeviceOption, WithoutBothPartsSaysHowToWriteIt) {
  for (const char* text : {"", "vm1", "=x", "vm1=", "vm1=client:"}) {
    const auto device = parse_device_option(text);
    ASSERT_FALSE(device) << text;
    EXPECT_EQ(device.error().code, Code::kInvalidArgument);
  }
}

TEST(Devices, NeedNamesAndSocketsOfTheirOwn) {
  EXPECT_TRUE(check_devices({{"a", "x"}, {"b", "y"}}));
  EXPECT_FALSE(check_devices({{"a", "x"}, {"a", "y"}}));
  EXPECT_FALSE(check_devices({{"a", "x"}, {"b", "x"}}));
}

}  // namespace
}  // namespace vballoon::service
