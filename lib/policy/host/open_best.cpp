// SPDX-License-Identifier: BSD-3-Clause
//
// policy/host/open_best.cpp - chooses a watch where the operator leaves the choice to the daemon.
#include <fmt/format.h>

#include <utility>

#include "policy/host/pressure_watch.hpp"

namespace vballoon::policy {
namespace {

BestWatch take_system(const PressureWatch::Options& options, const std::string& refused) {
  PressureWatch::Options system = options;
  system.cgroup.clear();
  const std::string instead = refused.empty() ? "" : fmt::format("; not the cgroup's: {}", refused);
  auto watch = PressureWatch::open(system);
  if (!watch) {
    return {std::nullopt, fmt::format("no watch: {}{}", watch.error().message, instead)};
  }
  std::string why = watch->describe() + instead;
  return {std::move(*watch), std::move(why)};
}

}  // namespace

BestWatch open_best(const PressureWatch::Options& options) {
  if (options.cgroup.empty()) return take_system(options, "");
  auto watch = PressureWatch::open(options);
  if (!watch) return take_system(options, watch.error().message);
  std::string why = watch->describe();
  return {std::move(*watch), std::move(why)};
}

}  // namespace vballoon::policy
