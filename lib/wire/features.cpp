// SPDX-License-Identifier: BSD-3-Clause
#include "wire/features.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "wire/large_balloon.hpp"

namespace vballoon::wire {
namespace {

constexpr Feature kBitTwo = Feature::kDeflateOnOom;

struct NamedFeature {
  Feature feature;
  std::string_view name;
};
constexpr std::array kNames{
    NamedFeature{Feature::kMustTellHost, "MUST_TELL_HOST"},
    NamedFeature{Feature::kStatsVq, "STATS_VQ"},
    NamedFeature{kBitTwo, "DEFLATE_ON_OOM"},
    NamedFeature{Feature::kFreePageHint, "FREE_PAGE_HINT"},
    NamedFeature{Feature::kPagePoison, "PAGE_POISON"},
    NamedFeature{Feature::kReporting, "REPORTING"},
    NamedFeature{Feature::kLogAll, "LOG_ALL"},
    NamedFeature{Feature::kAnyLayout, "ANY_LAYOUT"},
    NamedFeature{Feature::kIndirectDesc, "INDIRECT_DESC"},
    NamedFeature{Feature::kVhostProtocolFeatures, "VHOST_PROTOCOL_FEATURES"},
    NamedFeature{Feature::kVersion1, "VERSION_1"},
    NamedFeature{Feature::kRingPacked, "RING_PACKED"},
    NamedFeature{Feature::kInOrder, "IN_ORDER"},
};

/// Of device 13, from bit 0 on.
constexpr std::array<std::string_view, large::kFeatures> kLargeNames{
    "SIZES", "NODE", "NODE_STATS", "PRESSURE", "DEFLATE_ON_OOM", "RELEASE", "STATE"};
/// Bits from 24 on are the transport's, and the same on every device (6).
constexpr unsigned kFirstTransportBit = 24;

std::string name_of_bit(unsigned bit, Dialect dialect) {
  if (dialect == Dialect::kLarge && bit < kFirstTransportBit) {
    return bit < kLargeNames.size() ? std::string(kLargeNames[bit]) : fmt::format("BIT_{}", bit);
  }
  if (bit == static_cast<unsigned>(kBitTwo) && dialect == Dialect::kMessages) return "MESSAGE_VQ";
  for (const NamedFeature& known : kNames) {
    if (static_cast<unsigned>(known.feature) == bit) return std::string(known.name);
  }
  return fmt::format("BIT_{}", bit);
}

}  // namespace

std::vector<std::string> feature_names(Features features, Dialect dialect) {
  std::vector<std::string> names;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if (((features.bits() >> bit) & 1) != 0) names.push_back(name_of_bit(bit, dialect));
  }
  return names;
}

}  // namespace vballoon::wire
