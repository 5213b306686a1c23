// SPDX-License-Identifier: BSD-3-Clause
#include "balloon/queue_map.hpp"

#include <array>

namespace vballoon::balloon {
namespace {

struct OptionalRole {
  Role role;
  Feature needs;
};
/// In the order of their numbers (5.5.2).
constexpr std::array kOptional{OptionalRole{Role::kStats, Feature::kStatsVq},
                               OptionalRole{Role::kHint, Feature::kFreePageHint},
                               OptionalRole{Role::kReport, Feature::kReporting}};

}  // namespace

std::string_view role_name(Role role) noexcept {
  static constexpr std::array<std::string_view, kRoles> kNames{"inflate", "deflate", "stats", "hint",
                                                               "report"};
  return kNames[static_cast<unsigned>(role)];
}

std::optional<Role> role_of_queue(unsigned index, Features acked, bool gap_below) noexcept {
  if (index <= static_cast<unsigned>(Role::kDeflate)) return static_cast<Role>(index);
  unsigned compacted = static_cast<unsigned>(Role::kStats);
  for (const OptionalRole& optional : kOptional) {
    if (!acked.has(optional.needs)) continue;
    if (compacted == index && !gap_below) return optional.role;
    ++compacted;
  }
  for (const OptionalRole& optional : kOptional) {
    if (static_cast<unsigned>(optional.role) == index && acked.has(optional.needs)) {
      return optional.role;
    }
  }
  return std::nullopt;
}

}  // namespace vballoon::balloon
