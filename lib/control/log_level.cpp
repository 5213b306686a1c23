// SPDX-License-Identifier: BSD-3-Clause
//
// control/log_level.cpp - see log_level.hpp.
#include "control/log_level.hpp"

#include <rte_log.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "control/lcore_plan.hpp"
#include "control/notify.hpp"

namespace vballoon::control {
namespace {

std::uint32_t eal_level(std::string_view name) {
  if (name == "error") return RTE_LOG_ERR;
  return name == "info" ? RTE_LOG_INFO : RTE_LOG_WARNING;
}

}  // namespace

void start_log(const std::string& level) {
  auto logger = spdlog::stderr_color_mt("vballoond");
  logger->set_pattern(logs_to_journal() ? "%l: %v" : "%H:%M:%S.%e %^%l%$: %v");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

void change_log_level(const std::string& level) {
  for (const EalLogLevel& entry : eal_log_levels(level)) {
    rte_log_set_level_pattern(entry.pattern, eal_level(entry.level));
  }
  // Said at the more talkative of both levels.
  const auto after = spdlog::level::from_str(level);
  log::set_level(std::min(log::get_level(), after));
  log::info("reload: daemon.log_level is now {}", level);
  log::set_level(after);
}

}  // namespace vballoon::control
