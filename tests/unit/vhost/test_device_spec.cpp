// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vhost/test_device_spec.cpp - what a device offers and shows, by its settings.
// Source: docs/device-13.md, 3 and 4; DEV-3.
#include <gtest/gtest.h>

#include "vhost/device_spec.hpp"

namespace vballoon::vhost {
namespace {

DeviceSpec large(const char* sizes, const char* node = "") {
  vm::Settings settings{"vm1", "/run/vm1.sock"};
  settings.kind = vm::kLarge;
  settings.page_sizes = sizes;
  settings.node = node;
  return *DeviceSpec::of(settings, std::nullopt);
}

TEST(DeviceSpec, OfLargePagesShowsAConfigurationForEachChoiceOfSizes) {
  for (const std::string_view sizes : vm::kPageSizes) {
    const auto config = large(std::string(sizes).c_str()).large_config();
    ASSERT_TRUE(config) << sizes;
    EXPECT_TRUE(wire::large::is_valid(*config)) << sizes;
    EXPECT_EQ(config->node, wire::large::kAnyNode);
  }
  const auto three = large("4K,2M,1G", "3").large_config();
  EXPECT_EQ(three->page_shift, 12U);
  EXPECT_EQ(three->size_mask, 0x40201U);
  EXPECT_EQ(three->node, 3U);
  EXPECT_EQ(large("1G").large_config()->page_shift, 30U);
}

TEST(DeviceSpec, OfLargePagesOffersANodeOnlyWhereThereIsOne) {
  using wire::large::Feature;
  const auto bits = [](const DeviceSpec& spec) { return spec.offered().bits() & 0xffffff; };
  EXPECT_EQ(bits(large("2M")), 0x7dU);
  EXPECT_EQ(bits(large("2M", "0")), 0x7dU | wire::large::bit(Feature::kNode));
  EXPECT_TRUE(large("2M").offered().has(wire::Feature::kVersion1)) << "DEV-1";
  EXPECT_EQ(large("2M").dialect(), wire::Dialect::kLarge);
}

TEST(DeviceSpec, OfTheStockBalloonIsWhatItWas) {
  vm::Settings settings{"vm1", "/run/vm1.sock"};
  const auto spec = [&settings] { return *DeviceSpec::of(settings, std::nullopt); };
  EXPECT_EQ(spec().offered(), wire::kOffered);
  EXPECT_FALSE(spec().large_config());
  EXPECT_EQ(spec().page_shifts().count, 0U);
  settings.page_poison = true;
  EXPECT_EQ(spec().offered(), wire::kOffered.with(wire::Feature::kPagePoison));
  settings.message_queue = true;
  EXPECT_EQ(spec().dialect(), wire::Dialect::kMessages);
  EXPECT_EQ(spec().offered(), wire::kOfferedWithMessages.with(wire::Feature::kPagePoison));
}

}  // namespace
}  // namespace vballoon::vhost
