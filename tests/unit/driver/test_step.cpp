// SPDX-License-Identifier: BSD-3-Clause
#include "driver/step.hpp"

#include <gtest/gtest.h>

#include "base/units.hpp"

namespace vballoon::driver {
namespace {

TEST(Step, ParsesVerbsWithTheirArguments) {
  EXPECT_EQ(parse_step("inflate:256M")->bytes, 256 * kMiB);
  EXPECT_EQ(parse_step("inflate:256M")->verb, Step::Verb::kInflate);
  EXPECT_EQ(parse_step("deflate:all")->bytes, ~std::uint64_t{0});
  EXPECT_EQ(parse_step("follow:1.5")->duration.count(), 1500);
  EXPECT_EQ(parse_step("pause:2s")->duration.count(), 2000);
  EXPECT_EQ(parse_step("pressure")->verb, Step::Verb::kPressure);
  EXPECT_EQ(parse_step("reset")->verb, Step::Verb::kReset);
}

TEST(Step, RefusesWhatItDoesNotKnowAndNamesIt) {
  for (const char* const wrong : {"", "inflate", "inflate:", "inflate:x", "reset:1", "pressure:1",
                                  "grow:1M", "follow:", "follow:-1", "follow:soon", "pause:1e9"}) {
    const auto step = parse_step(wrong);
    ASSERT_FALSE(step) << wrong;
    EXPECT_EQ(step.error().code, Code::kInvalidArgument);
  }
  EXPECT_NE(parse_step("grow:1M").error().message.find("grow:1M"), std::string::npos);
}

}  // namespace
}  // namespace vballoon::driver
