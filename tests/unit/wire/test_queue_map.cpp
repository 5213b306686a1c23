// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/wire/test_queue_map.cpp - which ring is which queue, and how features are called.
// Source: VIRTIO 1.2, 5.5.2, 5.5.3; Linux virtio core, which numbers only the queues that a driver
//         asks for. Does not prove what a driver does that follows neither.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "wire/features.hpp"
#include "wire/queue_map.hpp"

namespace vballoon::wire {
namespace {

struct OptionalQueue {
  Feature feature;
  Role role;
};
const std::vector<OptionalQueue> kOptionalQueues{{Feature::kStatsVq, Role::kStats},
                                                 {Feature::kFreePageHint, Role::kHint},
                                                 {Feature::kReporting, Role::kReport}};

Features subset(unsigned bits) {
  Features features = Features{}.with(Feature::kVersion1).with(Feature::kMustTellHost);
  for (unsigned i = 0; i < kOptionalQueues.size(); ++i) {
    if (((bits >> i) & 1) != 0) features = features.with(kOptionalQueues[i].feature);
  }
  return features;
}

/// Linux: what was acknowledged, counted up from 2.
std::map<unsigned, Role> linux_numbers(unsigned bits) {
  std::map<unsigned, Role> numbers{{0, Role::kInflate}, {1, Role::kDeflate}};
  for (unsigned i = 0; i < kOptionalQueues.size(); ++i) {
    if (((bits >> i) & 1) != 0) {
      numbers.emplace(static_cast<unsigned>(numbers.size()), kOptionalQueues[i].role);
    }
  }
  return numbers;
}

/// 5.5.2: fixed numbers; a queue exists only with its feature.
std::map<unsigned, Role> spec_numbers(unsigned bits) {
  std::map<unsigned, Role> numbers{{0, Role::kInflate}, {1, Role::kDeflate}};
  for (unsigned i = 0; i < kOptionalQueues.size(); ++i) {
    if (((bits >> i) & 1) != 0) numbers.emplace(2 + i, kOptionalQueues[i].role);
  }
  return numbers;
}

TEST(QueueMap, EverySubsetIsNumberedAsLinuxDoes) {
  for (unsigned bits = 0; bits < 8; ++bits) {
    for (const auto& [index, role] : linux_numbers(bits)) {
      EXPECT_EQ(role_of_queue(index, subset(bits)), role) << "subset " << bits << " ring " << index;
    }
  }
}

TEST(QueueMap, WhatLinuxLeavesFreeIsNumberedAsTheSpecDoes) {
  for (unsigned bits = 0; bits < 8; ++bits) {
    const auto taken = linux_numbers(bits);
    const auto spec = spec_numbers(bits);
    for (unsigned index = 0; index < 16; ++index) {
      if (taken.contains(index)) continue;
      const auto at = spec.find(index);
      const auto expected = at == spec.end() ? std::nullopt : std::optional(at->second);
      EXPECT_EQ(role_of_queue(index, subset(bits)), expected)
          << "subset " << bits << " ring " << index;
    }
  }
}

// 5.5.2: with every optional queue, and with each that has all below it, both schemes agree.
TEST(QueueMap, BothSchemesAgreeWithoutGaps) {
  for (const unsigned bits : {0U, 1U, 3U, 7U}) {
    EXPECT_EQ(linux_numbers(bits), spec_numbers(bits));
    for (const auto& [index, role] : spec_numbers(bits)) {
      EXPECT_EQ(role_of_queue(index, subset(bits)), role);
    }
  }
}

TEST(QueueMap, OtherFeaturesDoNotMoveQueues) {
  const Features all = kOffered;
  EXPECT_EQ(role_of_queue(4, all), Role::kReport);
  EXPECT_EQ(role_of_queue(5, all), std::nullopt);
  const Features poisoned = subset(0b101).with(Feature::kPagePoison).with(Feature::kDeflateOnOom);
  EXPECT_EQ(role_of_queue(3, poisoned), Role::kReport);
  EXPECT_EQ(role_of_queue(UINT32_MAX, all), std::nullopt);
}

// "virtio-balloon: add pressure notification via a new virtqueue": it comes after the statistics.
TEST(QueueMap, MessagesComeAfterTheStatistics) {
  const Features both = Features{}.with(Feature::kStatsVq).with(Feature::kDeflateOnOom);
  const auto role = [](unsigned index, Features acked, bool gap = false) {
    return role_of_queue(index, acked, gap, Dialect::kMessages);
  };
  EXPECT_EQ(role(0, both), Role::kInflate);
  EXPECT_EQ(role(1, both), Role::kDeflate);
  EXPECT_EQ(role(2, both), Role::kStats);
  EXPECT_EQ(role(3, both), Role::kMessage);
  EXPECT_EQ(role(4, both), std::nullopt);
  EXPECT_EQ(role(UINT32_MAX, both), std::nullopt);
  const Features alone = Features{}.with(Feature::kDeflateOnOom);
  EXPECT_EQ(role(2, alone), Role::kMessage) << "of a driver that leaves no gaps";
  EXPECT_EQ(role(3, alone, true), Role::kMessage) << "and of one that does";
  EXPECT_EQ(role(2, alone, true), std::nullopt);
  EXPECT_EQ(role(3, Features{}.with(Feature::kStatsVq)), std::nullopt) << "not acknowledged";
}

TEST(QueueMap, HintsAndReportsAreNotKnownBesideMessages) {
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Features acked = subset(bits).with(Feature::kDeflateOnOom);
    for (unsigned index = 0; index < 8; ++index) {
      for (const bool gap : {false, true}) {
        const auto role = role_of_queue(index, acked, gap, Dialect::kMessages);
        EXPECT_TRUE(!role || may_have(*role, Dialect::kMessages)) << bits << " " << index;
        const auto standard = role_of_queue(index, acked, gap);
        EXPECT_TRUE(!standard || may_have(*standard, Dialect::kStock)) << bits;
      }
    }
  }
}

TEST(QueueMap, NoDeviceHasMoreQueuesThanItSays) {
  unsigned most = 0;
  for (const Dialect dialect : {Dialect::kStock, Dialect::kMessages, Dialect::kLarge}) {
    unsigned queues = 0;
    for (unsigned i = 0; i < kRoles; ++i) {
      if (may_have(static_cast<Role>(i), dialect)) ++queues;
    }
    EXPECT_LE(queues, queues_of(dialect));
    most = std::max(most, queues);
  }
  EXPECT_EQ(most, kQueues);
}

// docs/device-13.md, 5: whatever was acknowledged.
TEST(QueueMap, DeviceThirteenHasTwoQueues) {
  for (const Features acked : {Features{}, Features(0x7f), Features(~0ULL)}) {
    for (const bool gap : {false, true}) {
      EXPECT_EQ(role_of_queue(0, acked, gap, Dialect::kLarge), Role::kFromDevice);
      EXPECT_EQ(role_of_queue(1, acked, gap, Dialect::kLarge), Role::kToDevice);
      EXPECT_EQ(role_of_queue(2, acked, gap, Dialect::kLarge), std::nullopt);
      EXPECT_EQ(role_of_queue(UINT32_MAX, acked, gap, Dialect::kLarge), std::nullopt);
    }
  }
}

TEST(QueueMap, EachDialectHasItsMainQueuesWhereTheirRingsAre) {
  for (const Dialect dialect : {Dialect::kStock, Dialect::kMessages, Dialect::kLarge}) {
    for (const MainQueue queue : {entrance(dialect), companion(dialect)}) {
      EXPECT_EQ(role_of_queue(queue.ring, Features{}, false, dialect), queue.role);
      EXPECT_TRUE(may_have(queue.role, dialect));
    }
    EXPECT_TRUE(may_have(statistics(dialect), dialect));
  }
}

TEST(QueueMap, RolesHaveNames) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i < kRoles; ++i) names.insert(role_name(static_cast<Role>(i)));
  EXPECT_EQ(names, (std::set<std::string_view>{"inflate", "deflate", "stats", "hint", "report",
                                               "message", "fromdev", "todev"}));
}

// 5.5.3 and 6: the numbers of the bits.
TEST(Features, BitsAreTheSpecs) {
  EXPECT_EQ(Features{}.with(Feature::kMustTellHost).bits(), 1U << 0);
  EXPECT_EQ(Features{}.with(Feature::kStatsVq).bits(), 1U << 1);
  EXPECT_EQ(Features{}.with(Feature::kDeflateOnOom).bits(), 1U << 2);
  EXPECT_EQ(Features{}.with(Feature::kFreePageHint).bits(), 1U << 3);
  EXPECT_EQ(Features{}.with(Feature::kPagePoison).bits(), 1U << 4);
  EXPECT_EQ(Features{}.with(Feature::kReporting).bits(), 1U << 5);
  EXPECT_EQ(Features{}.with(Feature::kAnyLayout).bits(), 1ULL << 27);
  EXPECT_EQ(Features{}.with(Feature::kIndirectDesc).bits(), 1ULL << 28);
  EXPECT_EQ(Features{}.with(Feature::kVersion1).bits(), 1ULL << 32);
  EXPECT_EQ(Features{}.with(Feature::kRingPacked).bits(), 1ULL << 34);
  EXPECT_EQ(Features{}.with(Feature::kInOrder).bits(), 1ULL << 35);
}

TEST(Features, TheOfferHasWhatItMustAndNothingItCannotServe) {
  for (const Feature feature :
       {Feature::kMustTellHost, Feature::kStatsVq, Feature::kDeflateOnOom, Feature::kFreePageHint,
        Feature::kReporting, Feature::kVersion1, Feature::kRingPacked, Feature::kInOrder}) {
    EXPECT_TRUE(kOffered.has(feature));
  }
  constexpr unsigned kEventIdx = 29;
  // User Mode Linux breaks where a driver clears a bit that it was offered: see features.hpp.
  EXPECT_FALSE(kOffered.has(Feature::kPagePoison));
  EXPECT_FALSE(kOffered.has(Feature::kIndirectDesc));
  EXPECT_EQ((kOffered.bits() >> kEventIdx) & 1, 0U);
  // 6.3: of transitional devices only, and this one refuses legacy drivers.
  EXPECT_FALSE(kOffered.has(Feature::kAnyLayout));
}

// A stock driver takes bit 2 for DEFLATE_ON_OOM: it must not have a ring where messages come.
TEST(Features, NeitherHintsNorReportsAreOfferedBesideMessages) {
  EXPECT_EQ(kOfferedWithMessages.bits(), kOffered.bits() & ~std::uint64_t{1U << 3 | 1U << 5});
}

TEST(Features, BitTwoHasTwoNames) {
  const Features two(1U << 2);
  EXPECT_EQ(feature_names(two), std::vector<std::string>{"DEFLATE_ON_OOM"});
  EXPECT_EQ(feature_names(two, Dialect::kMessages), std::vector<std::string>{"MESSAGE_VQ"});
  EXPECT_EQ(feature_names(Features(3), Dialect::kMessages),
            (std::vector<std::string>{"MUST_TELL_HOST", "STATS_VQ"}));
}

// docs/device-13.md, 3. Bits of the transport keep their names.
TEST(Features, DeviceThirteenHasNamesOfItsOwn) {
  EXPECT_EQ(feature_names(Features(0xff).with(Feature::kVersion1), Dialect::kLarge),
            (std::vector<std::string>{"SIZES", "NODE", "NODE_STATS", "PRESSURE", "DEFLATE_ON_OOM",
                                      "RELEASE", "STATE", "BIT_7", "VERSION_1"}));
  EXPECT_EQ(feature_names(kOfferedTransport, Dialect::kLarge), feature_names(kOfferedTransport));
  EXPECT_EQ(kOfferedTransport.bits() & 0xffffff, 0U);
}

TEST(Features, NamesComeLowestBitFirst) {
  EXPECT_TRUE(feature_names(Features{}).empty());
  const Features all =
      kOffered.with(Feature::kPagePoison).with(Feature::kAnyLayout).with(Feature::kIndirectDesc);
  EXPECT_EQ(feature_names(all),
            (std::vector<std::string>{"MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM",
                                      "FREE_PAGE_HINT", "PAGE_POISON", "REPORTING", "LOG_ALL",
                                      "ANY_LAYOUT", "INDIRECT_DESC", "VHOST_PROTOCOL_FEATURES",
                                      "VERSION_1", "RING_PACKED", "IN_ORDER"}));
}

TEST(Features, UnknownBitsAreShownByTheirNumber) {
  EXPECT_EQ(feature_names(Features((1ULL << 63) | (1ULL << 6) | 1)),
            (std::vector<std::string>{"MUST_TELL_HOST", "BIT_6", "BIT_63"}));
  EXPECT_EQ(feature_names(Features(~0ULL)).size(), 64U);
}

}  // namespace
}  // namespace vballoon::wire
