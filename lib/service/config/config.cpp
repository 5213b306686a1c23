// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config.cpp - makes a checked Config of TOML.
#include "service/config/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "lcore/placement/place.hpp"
#include "rpc/socket_path.hpp"
#include "service/config/table_reader.hpp"

namespace vballoon::service {
namespace {

constexpr std::array<std::string_view, 6> kLogLevels{"trace",   "debug", "info",
                                                     "warning", "warn",  "error"};
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

Result<void> read_daemon(TableReader& table, Config* config) {
  table.read("rpc_socket", &config->rpc_socket);
  table.read("rpc_group", &config->rpc_group);
  table.read("state_dir", &config->state_dir);
  table.read("socket_group", &config->socket_group);
  table.read("seccomp", &config->seccomp);
  table.read_word("log_level", &config->log_level, kLogLevels);
  config->log_level = log_level_named(config->log_level);
  return table.finish();
}

Result<void> read_eal(TableReader& table, Config* config) {
  table.read("no_huge", &config->no_huge);
  table.read("memory_mib", &config->memory_mib, kMemoryMib);
  std::uint64_t main_lcore = 0;
  table.read("main_lcore", &main_lcore, kCpu);
  if (table.table().contains("main_lcore")) config->main_lcore = static_cast<unsigned>(main_lcore);
  table.read("args", &config->eal_args);
  return table.finish();
}

Result<void> read_poll(TableReader& table, Config* config) {
  std::string chosen;
  table.read_list_or_word("lcores", &config->poll_lcores, kCpu, &chosen, kPollWords);
  std::string idle = config->idle == IdleStrategy::kSpin ? "spin" : "backoff";
  table.read_word("idle", &idle, kIdles);
  config->idle = idle == "spin" ? IdleStrategy::kSpin : IdleStrategy::kBackoff;
  return table.finish();
}

Result<void> read_reclaim(TableReader& table, Config* config) {
  std::vector<unsigned> lcores;
  std::string word;
  table.read_list_or_word("lcores", &lcores, kCpu, &word, kReclaimWords);
  if (table.table().contains("lcores")) {
    config->reclaim_lcores = std::move(lcores);
    if (word == "auto") config->reclaim_lcores.reset();
  }
  table.read("window_mib", &config->window_mib, kWindowMib);
  table.read("window_age_ms", &config->window_age_ms, kWindowAgeMs);
  table.read("hugetlb_reserve", &config->hugetlb_reserve);
  return table.finish();
}

Result<void> read_limits(TableReader& table, Config* config) {
  table.read("max_guest_gib", &config->max_guest_gib, kGuestGib);
  table.read("max_total_gib", &config->max_total_gib, kTotalGib);
  return table.finish();
}

Result<void> read_placement(TableReader& table, Config* config) {
  std::string neighbours;
  table.read("neighbours", &neighbours,
             "a text in quotes, a mask as in \"0x3c\" or a list as in \"2-5,8\"");
  auto cpus = lcore::parse_neighbours(neighbours);
  if (cpus) {
    config->neighbours = std::move(*cpus);
  } else {
    table.fail_at(*table.table().get("neighbours"),
                  "'placement.neighbours': " + cpus.error().message);
  }
  return table.finish();
}

Result<void> read_stats(TableReader& table, Config* config) {
  table.read("interval_ms", &config->stats_interval_ms, kIntervalMs);
  if (config->stats_interval_ms > 0 && config->stats_interval_ms < kMinIntervalMs) {
    table.fail_at(*table.table().get("interval_ms"),
                  fmt::format("'stats.interval_ms' must be 0 (only on request) or at least {}",
                              kMinIntervalMs));
  }
  return table.finish();
}

Result<void> read_policy(TableReader& table, Config* config) {
  policy::PolicyConfig& policy = config->policy;
  table.read_word("law", &policy.law, kLaws);
  table.read("interval_ms", &policy.interval_ms, kTickMs);
  table.read("cgroup", &policy.cgroup);
  table.read_word("host_pressure", &policy.host_pressure, kPressureSources);
  table.read_word("pressure_level", &policy.pressure_level, kPressureLevels);
  table.read("psi_stall_ms", &policy.psi_stall_ms, kPsiStallMs);
  table.read("psi_window_ms", &policy.psi_window_ms, kPsiWindowMs);
  table.read("reserve_mib", &policy.reserve_mib, kSizeMib);
  table.read("step_mib", &policy.step_mib, kStepMib);
  table.read("guest_pressure_s", &policy.guest_pressure_s, kPressureS);
  if (policy.host_pressure == "cgroup" && policy.cgroup.empty()) {
    const toml::node* at = table.table().get("host_pressure");
    table.fail_at(at != nullptr ? *at : table.table(),
                  "'policy.host_pressure' is \"cgroup\", and 'policy.cgroup' names none");
  }
  if (policy.psi_stall_ms > policy.psi_window_ms) {
    table.fail_at(table.table(),
                  fmt::format("'policy.psi_stall_ms' ({}) is longer than its window, "
                              "'policy.psi_window_ms' ({})",
                              policy.psi_stall_ms, policy.psi_window_ms));
  }
  return table.finish();
}

void read_setting(TableReader& table, const vm::Setting& setting, vm::Settings* device) {
  if (const auto* number = std::get_if<vm::Number>(&setting.kind)) {
    const Range range{number->low, number->high, number->unit};
    table.read(setting.key, &(device->*number->field), range);
  } else if (const auto* flag = std::get_if<vm::Flag>(&setting.kind)) {
    table.read(setting.key, &(device->*flag->field));
  } else if (const auto* word = std::get_if<vm::Word>(&setting.kind)) {
    table.read_word(setting.key, &(device->*word->field), word->words);
  } else {
    table.read(setting.key, &(device->*std::get<vm::Text>(setting.kind).field));
  }
}

Result<void> read_device(TableReader& table, Config* config) {
  vm::Settings device;
  std::string mode = "server";
  table.read("name", &device.name);
  table.read("socket", &device.socket);
  table.read_word("mode", &mode, kModes);
  device.client = mode == "client";
  for (const vm::Setting& setting : vm::kSettings) read_setting(table, setting, &device);
  if (auto ok = vm::check(device); !ok) table.fail_at(table.table(), ok.error().message);
  if (auto done = table.finish(); !done) return done;
  if (table.require("name") && table.require("socket")) {
    config->devices.push_back(std::move(device));
    if (auto unique = check_devices(config->devices); !unique) {
      table.fail_at(table.table(), unique.error().message);
    }
  }
  return table.finish();
}

/// Notes the line of every key of the file, known or not.
void note_places(const toml::table& root, const std::string& source, Places* places) {
  const auto place_of = [&source](const toml::node& node) {
    return fmt::format("{}:{}: ", source, node.source().begin.line);
  };
  for (const auto& [name, node] : root) {
    const std::string outer(name.str());
    if (const toml::table* table = node.as_table()) {
      for (const auto& [key, value] : *table) {
        places->add(outer + "." + std::string(key.str()), place_of(value));
      }
    } else if (node.is_array_of_tables()) {
      for (const toml::node& item : *node.as_array()) {
        const toml::table& block = *item.as_table();
        const std::string device = block["name"].value_or(std::string());
        places->add_device(device, "", place_of(item));
        for (const auto& [key, value] : block) {
          places->add_device(device, std::string(key.str()), place_of(value));
        }
      }
    }
  }
}

Result<Config> read_file(const toml::table& root, const std::string& source, Profile profile) {
  Config config = default_config(profile);
  const auto into = [&config](auto reader) {
    return [&config, reader](TableReader& table) { return reader(table, &config); };
  };
  TableReader top(root, "", source);
  top.read_table("daemon", into(read_daemon));
  top.read_table("eal", into(read_eal));
  top.read_table("poll", into(read_poll));
  top.read_table("reclaim", into(read_reclaim));
  top.read_table("limits", into(read_limits));
  top.read_table("placement", into(read_placement));
  top.read_table("stats", into(read_stats));
  top.read_table("policy", into(read_policy));
  top.read_tables("device", into(read_device));
  if (auto done = top.finish(); !done) return tl::unexpected(done.error());
  if (config.rpc_socket.empty()) config.rpc_socket = rpc::default_socket_path();
  note_places(root, source, &config.places);
  return config;
}

}  // namespace

Config default_config(Profile profile) {
  Config config;
  static_cast<lcore::LcoreSettings&>(config) = lcore::default_settings(profile);
  config.rpc_socket = rpc::default_socket_path();
  return config;
}

bool is_log_level(std::string_view name) noexcept {
  return std::find(kLogLevels.begin(), kLogLevels.end(), name) != kLogLevels.end();
}

std::string log_level_named(std::string_view name) {
  return std::string(name == "warn" ? "warning" : name);
}

Result<Config> parse_config(std::string_view text, const std::string& source, Profile profile) {
  try {
    return read_file(toml::parse(text, source), source, profile);
  } catch (const toml::parse_error& error) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("{}:{}: not TOML: {}", source, error.source().begin.line, error.description()));
  }
}

Result<Config> load_config(const std::string& path, Profile profile) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int reason = errno;
    return fail(reason == ENOENT ? Code::kNotFound : Code::kHost,
                fmt::format("{}: {}; name the configuration with --config, or use --dev without "
                            "one",
                            path, std::strerror(reason)));
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(Code::kHost, fmt::format("{}: a folder; name the file in it", path));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path, profile);
}

Result<vm::Settings> parse_device_option(std::string_view text) {
  static constexpr std::string_view kClient = "client:";
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is no device; write NAME=SOCKET, as in vm1=./vm1.sock, or "
                            "NAME=client:SOCKET",
                            text));
  }
  vm::Settings device{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (device.socket.starts_with(kClient)) {
    device.client = true;
    device.socket.erase(0, kClient.size());
  }
  if (device.socket.empty()) {
    return fail(Code::kInvalidArgument, fmt::format("'{}' names no socket", text));
  }
  return device;
}

Result<void> check_devices(const std::vector<vm::Settings>& devices) {
  std::set<std::string_view> names;
  std::set<std::string_view> sockets;
  for (const vm::Settings& device : devices) {
    if (!names.insert(device.name).second) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("two devices are named '{}'; give each a name of its own", device.name));
    }
    if (!sockets.insert(device.socket).second) {
      return fail(Code::kInvalidArgument,
                  fmt::format("device '{}' shares the socket {} with another; give each its own",
                              device.name, device.socket));
    }
  }
  return {};
}

}  // namespace vballoon::service
