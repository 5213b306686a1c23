// SPDX-License-Identifier: BSD-3-Clause
#include "wire/node_stats.hpp"

#include "wire/large_balloon.hpp"
#include "wire/stats.hpp"

namespace vballoon::wire {
namespace {

constexpr std::array<std::uint16_t, kNodeStats> kNodeStatTags{
    static_cast<std::uint16_t>(StatTag::kFree), static_cast<std::uint16_t>(StatTag::kTotal),
    static_cast<std::uint16_t>(StatTag::kDiskCaches), large::kFreeLargeTag, large::kBalloonTag};

std::optional<NodeStat> stat_of(std::uint16_t tag) noexcept {
  for (std::size_t i = 0; i < kNodeStats; ++i) {
    if (kNodeStatTags[i] == tag) return static_cast<NodeStat>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view node_stat_name(NodeStat stat) noexcept {
  if (stat == NodeStat::kFreeLarge) return "free_large_bytes";
  if (stat == NodeStat::kBalloon) return "balloon_bytes";
  return stat_name(static_cast<StatTag>(kNodeStatTags[static_cast<std::size_t>(stat)]));
}

std::optional<std::uint64_t> NodeFigures::get(NodeStat stat) const noexcept {
  const auto s = static_cast<unsigned>(stat);
  if (((present >> s) & 1) == 0) return std::nullopt;
  return values[s];
}

void NodeFigures::set(NodeStat stat, std::uint64_t value) noexcept {
  if (value >> 63 != 0) return;
  values[static_cast<std::size_t>(stat)] = value;
  present |= 1U << static_cast<unsigned>(stat);
}

void NodeSample::set(std::uint32_t node, std::uint16_t tag, std::uint64_t value) noexcept {
  const auto stat = stat_of(tag);
  if (!stat) return;
  std::uint32_t i = 0;
  while (i < count && nodes[i].node != node) ++i;
  if (i == kMost) {
    ++left_out;
    return;
  }
  if (i == count) nodes[count++].node = node;
  nodes[i].set(*stat, value);
}

bool NodeSample::set_guest(std::uint16_t tag, std::uint64_t value) noexcept {
  if (tag < kKnownStats) return false;
  const auto stat = stat_of(tag);
  if (stat) guest.set(*stat, value);
  return stat.has_value();
}

}  // namespace vballoon::wire
