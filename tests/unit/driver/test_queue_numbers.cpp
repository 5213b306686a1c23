// SPDX-License-Identifier: BSD-3-Clause
#include "driver/queue_numbers.hpp"

#include <gtest/gtest.h>

namespace vballoon::driver {
namespace {

using wire::Feature;
using wire::Features;

constexpr Features kAllQueues =
    Features{}.with(Feature::kStatsVq).with(Feature::kFreePageHint).with(Feature::kReporting);

TEST(QueueNumbers, BothSchemesAgreeWhenEveryQueueIsThere) {
  const QueueNumbers expected{0U, 1U, 2U, 3U, 4U};
  EXPECT_EQ(number_queues(kAllQueues, Numbering::kLinux), expected);
  EXPECT_EQ(number_queues(kAllQueues, Numbering::kSpec), expected);
}

TEST(QueueNumbers, LinuxLeavesNoGaps) {
  const Features reporting = Features{}.with(Feature::kReporting);
  EXPECT_EQ(number_queues(reporting, Numbering::kLinux),
            (QueueNumbers{0U, 1U, std::nullopt, std::nullopt, 2U}));
  EXPECT_EQ(number_queues(reporting.with(Feature::kFreePageHint), Numbering::kLinux),
            (QueueNumbers{0U, 1U, std::nullopt, 2U, 3U}));
}

TEST(QueueNumbers, TheSpecKeepsThem) {
  EXPECT_EQ(number_queues(Features{}.with(Feature::kReporting), Numbering::kSpec),
            (QueueNumbers{0U, 1U, std::nullopt, std::nullopt, 4U}));
}

TEST(QueueNumbers, InflateAndDeflateAreAlwaysThere) {
  EXPECT_EQ(number_queues(Features{}, Numbering::kLinux),
            (QueueNumbers{0U, 1U, std::nullopt, std::nullopt, std::nullopt}));
}

TEST(QueueNumbers, MessagesComeAfterTheStatistics) {
  const Features both = Features{}.with(Feature::kStatsVq).with(Feature::kDeflateOnOom);
  const QueueNumbers expected{0U, 1U, 2U, std::nullopt, std::nullopt, 3U};
  EXPECT_EQ(number_queues(both, Numbering::kLinux, true), expected);
  EXPECT_EQ(number_queues(both, Numbering::kSpec, true), expected);
  const Features alone = Features{}.with(Feature::kDeflateOnOom);
  EXPECT_EQ(number_queues(alone, Numbering::kLinux, true)[5], 2U);
  EXPECT_EQ(number_queues(alone, Numbering::kSpec, true)[5], 3U);
  EXPECT_EQ(number_queues(both, Numbering::kLinux)[5], std::nullopt) << "a stock driver";
}

}  // namespace
}  // namespace vballoon::driver
