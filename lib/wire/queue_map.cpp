// SPDX-License-Identifier: BSD-3-Clause
#include "wire/queue_map.hpp"

#include <array>
#include <span>

namespace vballoon::wire {
namespace {

struct OptionalRole {
  Role role;
  Feature needs;
};
/// In the order of their numbers (5.5.2), of which the first is kFirstOptional.
constexpr std::array kOptional{OptionalRole{Role::kStats, Feature::kStatsVq},
                               OptionalRole{Role::kHint, Feature::kFreePageHint},
                               OptionalRole{Role::kReport, Feature::kReporting}};
constexpr std::array kWithMessages{OptionalRole{Role::kStats, Feature::kStatsVq},
                                   OptionalRole{Role::kMessage, Feature::kDeflateOnOom}};
constexpr unsigned kFirstOptional = 2;

}  // namespace

std::string_view role_name(Role role) noexcept {
  static constexpr std::array<std::string_view, kRoles> kNames{
      "inflate", "deflate", "stats", "hint", "report", "message", "fromdev", "todev"};
  return kNames[static_cast<unsigned>(role)];
}

std::optional<Role> role_of_queue(unsigned index, Features acked, bool gap_below,
                                  Dialect dialect) noexcept {
  if (dialect == Dialect::kLarge) {
    if (index == entrance(dialect).ring) return entrance(dialect).role;
    return index == companion(dialect).ring ? std::optional(companion(dialect).role) : std::nullopt;
  }
  if (index < kFirstOptional) return static_cast<Role>(index);
  const std::span<const OptionalRole> known =
      dialect == Dialect::kMessages ? std::span<const OptionalRole>(kWithMessages) : kOptional;
  unsigned compacted = kFirstOptional;
  for (const OptionalRole& optional : known) {
    if (!acked.has(optional.needs)) continue;
    if (compacted == index && !gap_below) return optional.role;
    ++compacted;
  }
  const unsigned fixed = index - kFirstOptional;
  if (fixed < known.size() && acked.has(known[fixed].needs)) return known[fixed].role;
  return std::nullopt;
}

}  // namespace vballoon::wire
