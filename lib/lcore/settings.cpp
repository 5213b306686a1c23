// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/settings.hpp"

namespace vballoon::lcore {

LcoreSettings default_settings(Profile profile) {
  LcoreSettings settings;
  settings.profile = profile;
  if (profile == Profile::kDevelopment) {
    settings.no_huge = true;
    settings.idle = IdleStrategy::kBackoff;
    settings.reclaim_lcores.emplace();
  }
  return settings;
}

}  // namespace vballoon::lcore
