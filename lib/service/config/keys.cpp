// SPDX-License-Identifier: BSD-3-Clause
#include "service/config/keys.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "lcore/placement/cpus.hpp"
#include "lcore/placement/place.hpp"

namespace vballoon::service {
namespace {

constexpr std::array<std::string_view, 2> kIdles{"spin", "backoff"};
constexpr std::array<std::string_view, 2> kModes{"server", "client"};

constexpr Range kMemoryMib{16, 1 << 20, "MiB"};
constexpr Range kCpu{0, 1023, ""};
constexpr Range kIntervalMs{0, 3'600'000, "milliseconds"};
constexpr std::uint64_t kMinIntervalMs = 100;
constexpr Range kWindowMib{0, 1 << 20, "MiB"};
constexpr Range kWindowAgeMs{0, 1000, "milliseconds"};
constexpr Range kGuestGib{1, 16384, "GiB"};
constexpr Range kTotalGib{2, 98304, "GiB"};
constexpr std::array<std::string_view, 2> kLaws{"balance", "pressure"};
constexpr std::array<std::string_view, 4> kPressureSources{"auto", "psi", "cgroup", "none"};
constexpr std::array<std::string_view, 3> kPressureLevels{"low", "medium", "critical"};
constexpr Range kTickMs{kMinIntervalMs, 60'000, "milliseconds"};
constexpr Range kPsiStallMs{1, 10'000, "milliseconds"};
constexpr Range kPsiWindowMs{500, 10'000, "milliseconds"};
constexpr Range kSizeMib{0, vm::kMostSizeMib, "MiB"};
constexpr Range kStepMib{1, 1 << 20, "MiB"};
constexpr Range kPressureS{0, 86'400, "seconds"};
constexpr std::array<std::string_view, 1> kPollWords{"auto"};
constexpr std::array<std::string_view, 2> kReclaimWords{"auto", "none"};

void daemon_keys(Keys& keys, Config* config) {
  keys.text("rpc_socket", &config->rpc_socket);
  keys.text("rpc_group", &config->rpc_group);
  keys.text("rpc_observers", &config->rpc_observers);
  keys.text("state_dir", &config->state_dir);
  keys.text("socket_group", &config->socket_group);
  keys.flag("seccomp", &config->seccomp);
  keys.word("log_level", &config->log_level, log_levels());
  config->log_level = log_level_named(config->log_level);
}

void eal_keys(Keys& keys, Config* config) {
  keys.flag("no_huge", &config->no_huge);
  keys.number("memory_mib", &config->memory_mib, kMemoryMib);
  keys.number("main_lcore", &config->main_lcore, kCpu);
  keys.texts("args", &config->eal_args);
}

void poll_keys(Keys& keys, Config* config) {
  std::string word = config->poll_lcores.empty() ? "auto" : "";
  keys.numbers("lcores", &config->poll_lcores, kCpu, &word, kPollWords);
  std::string idle(kIdles[config->idle == IdleStrategy::kSpin ? 0 : 1]);
  keys.word("idle", &idle, kIdles);
  config->idle = idle == kIdles[0] ? IdleStrategy::kSpin : IdleStrategy::kBackoff;
}

void reclaim_keys(Keys& keys, Config* config) {
  auto& chosen = config->reclaim_lcores;
  std::string word = !chosen ? "auto" : chosen->empty() ? "none" : "";
  std::vector<unsigned> lcores = std::move(chosen).value_or(std::vector<unsigned>());
  keys.numbers("lcores", &lcores, kCpu, &word, kReclaimWords);
  chosen = std::move(lcores);
  if (word == "auto") chosen.reset();
  keys.number("window_mib", &config->window_mib, kWindowMib);
  keys.number("window_age_ms", &config->window_age_ms, kWindowAgeMs);
  keys.flag("hugetlb_reserve", &config->hugetlb_reserve);
}

void limits_keys(Keys& keys, Config* config) {
  keys.number("max_guest_gib", &config->max_guest_gib, kGuestGib);
  keys.number("max_total_gib", &config->max_total_gib, kTotalGib);
}

void placement_keys(Keys& keys, Config* config) {
  std::string neighbours = lcore::format_cpu_list(config->neighbours);
  keys.text("neighbours", &neighbours,
            "a text in quotes, a mask as in \"0x3c\" or a list as in \"2-5,8\"");
  if (auto cpus = lcore::parse_neighbours(neighbours)) {
    config->neighbours = std::move(*cpus);
  } else {
    keys.refuse("neighbours", "'placement.neighbours': " + cpus.error().message);
  }
}

void stats_keys(Keys& keys, Config* config) {
  keys.number("interval_ms", &config->stats_interval_ms, kIntervalMs);
  if (config->stats_interval_ms == 0 || config->stats_interval_ms >= kMinIntervalMs) return;
  keys.refuse("interval_ms",
              fmt::format("'stats.interval_ms' must be 0 (only on request) or at least {}",
                          kMinIntervalMs));
}

void policy_keys(Keys& keys, Config* config) {
  policy::PolicyConfig& policy = config->policy;
  keys.word("law", &policy.law, kLaws);
  keys.number("interval_ms", &policy.interval_ms, kTickMs);
  keys.text("cgroup", &policy.cgroup);
  keys.word("host_pressure", &policy.host_pressure, kPressureSources);
  keys.word("pressure_level", &policy.pressure_level, kPressureLevels);
  keys.number("psi_stall_ms", &policy.psi_stall_ms, kPsiStallMs);
  keys.number("psi_window_ms", &policy.psi_window_ms, kPsiWindowMs);
  keys.number("reserve_mib", &policy.reserve_mib, kSizeMib);
  keys.number("step_mib", &policy.step_mib, kStepMib);
  keys.number("guest_pressure_s", &policy.guest_pressure_s, kPressureS);
  // A key that was refused has its default, which says nothing about the others.
  if (!keys.good()) return;
  if (policy.host_pressure == "cgroup" && policy.cgroup.empty()) {
    keys.refuse("host_pressure",
                "'policy.host_pressure' is \"cgroup\", and 'policy.cgroup' names none");
  }
  if (policy.psi_stall_ms > policy.psi_window_ms) {
    keys.refuse("psi_stall_ms", fmt::format("'policy.psi_stall_ms' ({}) is longer than its window, "
                                            "'policy.psi_window_ms' ({})",
                                            policy.psi_stall_ms, policy.psi_window_ms));
  }
}

void setting_key(Keys& keys, const vm::Setting& setting, vm::Settings* device) {
  if (const auto* number = std::get_if<vm::Number>(&setting.kind)) {
    keys.number(setting.key, &(device->*number->field),
                Range{number->low, number->high, number->unit});
  } else if (const auto* flag = std::get_if<vm::Flag>(&setting.kind)) {
    keys.flag(setting.key, &(device->*flag->field));
  } else if (const auto* word = std::get_if<vm::Word>(&setting.kind)) {
    keys.word(setting.key, &(device->*word->field), word->words);
  } else {
    keys.text(setting.key, &(device->*std::get<vm::Text>(setting.kind).field));
  }
}

}  // namespace

void go_through(Keys& top, Config* config) {
  const auto with = [config](void (*keys_of)(Keys&, Config*)) {
    return [config, keys_of](Keys& keys) { keys_of(keys, config); };
  };
  top.table("daemon", with(daemon_keys));
  top.table("eal", with(eal_keys));
  top.table("poll", with(poll_keys));
  top.table("reclaim", with(reclaim_keys));
  top.table("limits", with(limits_keys));
  top.table("placement", with(placement_keys));
  top.table("stats", with(stats_keys));
  top.table("policy", with(policy_keys));
}

void go_through(Keys& device, vm::Settings* settings) {
  std::string mode(kModes[settings->client ? 1 : 0]);
  device.text("name", &settings->name);
  device.text("socket", &settings->socket);
  device.word("mode", &mode, kModes);
  settings->client = mode == kModes[1];
  for (const vm::Setting& setting : vm::kSettings) setting_key(device, setting, settings);
}

}  // namespace vballoon::service
