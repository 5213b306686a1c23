// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "service/config/config.hpp"
#include "support/another_value.hpp"

namespace vballoon::service {
namespace {

Config parsed(std::string_view text, Profile profile = Profile::kProduction) {
  auto config = parse_config(text, "t.toml", profile);
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config.value_or(Config{});
}

TEST(Config, OfAnEmptyFileIsTheProfile) {
  const Config production = parsed("");
  EXPECT_FALSE(production.no_huge);
  EXPECT_EQ(production.idle, IdleStrategy::kSpin);
  EXPECT_EQ(production.memory_mib, 64U);
  EXPECT_EQ(production.stats_interval_ms, 0U);
  EXPECT_FALSE(production.rpc_socket.empty());
  EXPECT_TRUE(production.devices.empty());

  const Config development = parsed("", Profile::kDevelopment);
  EXPECT_TRUE(development.no_huge);
  EXPECT_EQ(development.idle, IdleStrategy::kBackoff);
}

TEST(Config, ReadsEveryKey) {
  const Config config = parsed(R"(
[daemon]
rpc_socket = "/run/x/rpc.sock"
rpc_group = "kvm"
state_dir = "/run/x/state"
socket_group = "vmms"
seccomp = false
log_level = "debug"
[eal]
no_huge = true
memory_mib = 128
main_lcore = 2
args = ["--legacy-mem", "--file-prefix=x"]
[poll]
lcores = [3, 5]
idle = "backoff"
[reclaim]
lcores = [4]
window_mib = 8
window_age_ms = 5
hugetlb_reserve = true
[limits]
max_guest_gib = 512
max_total_gib = 2048
[placement]
neighbours = "0x6"
[stats]
interval_ms = 2000
[policy]
law = "pressure"
interval_ms = 500
cgroup = "/sys/fs/cgroup/vms"
host_pressure = "cgroup"
pressure_level = "medium"
psi_stall_ms = 50
psi_window_ms = 1000
reserve_mib = 300
step_mib = 16
guest_pressure_s = 30
[[device]]
name = "vm1"
socket = "/run/x/vm1.sock"
[[device]]
name = "vm2"
socket = "/run/x/vm2.sock"
mode = "client"
prefault = true
packed = false
page_poison = true
indirect = true
reporting = false
message_queue = true
group = "tenant2"
automatic = true
floor_mib = 100
ceiling_mib = 200
weight = 300
)");
  EXPECT_EQ(config.rpc_socket, "/run/x/rpc.sock");
  EXPECT_EQ(config.rpc_group, "kvm");
  EXPECT_EQ(config.state_dir, "/run/x/state");
  EXPECT_EQ(config.socket_group, "vmms");
  EXPECT_FALSE(config.seccomp);
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_TRUE(config.no_huge);
  EXPECT_EQ(config.memory_mib, 128U);
  EXPECT_EQ(config.main_lcore, 2U);
  EXPECT_EQ(config.eal_args, (std::vector<std::string>{"--legacy-mem", "--file-prefix=x"}));
  EXPECT_EQ(config.poll_lcores, (std::vector<unsigned>{3, 5}));
  EXPECT_EQ(config.idle, IdleStrategy::kBackoff);
  EXPECT_EQ(config.reclaim_lcores, std::optional(std::vector<unsigned>{4}));
  EXPECT_EQ(config.window_mib, 8U);
  EXPECT_EQ(config.window_age_ms, 5U);
  EXPECT_TRUE(config.hugetlb_reserve);
  EXPECT_EQ(config.max_guest_gib, 512U);
  EXPECT_EQ(config.max_total_gib, 2048U);
  EXPECT_EQ(config.neighbours, (std::vector<unsigned>{1, 2}));
  EXPECT_EQ(config.stats_interval_ms, 2000U);
  const policy::PolicyConfig policy{
      "pressure", 500, "/sys/fs/cgroup/vms", "cgroup", "medium", 50, 1000, 300, 16, 30};
  EXPECT_EQ(config.policy, policy);
  const std::vector<vm::Settings> devices{{"vm1", "/run/x/vm1.sock", false},
                                          {.name = "vm2",
                                           .socket = "/run/x/vm2.sock",
                                           .client = true,
                                           .prefault = true,
                                           .packed = false,
                                           .page_poison = true,
                                           .indirect = true,
                                           .reporting = false,
                                           .message_queue = true,
                                           .group = "tenant2",
                                           .automatic = true,
                                           .floor_mib = 100,
                                           .ceiling_mib = 200,
                                           .weight = 300}};
  EXPECT_EQ(config.devices, devices);
}

TEST(Config, ADeviceTakesEverySetting) {
  for (const vm::Setting& setting : vm::kSettings) {
    const vm::Settings wanted = test::with_another(setting, {"vm1", "/run/vm1.sock"});
    const vm::Value value = vm::get(setting, wanted);
    const char* quote = std::holds_alternative<std::string>(value) ? "\"" : "";
    const auto config = parsed(
        fmt::format("[[device]]\nname = \"vm1\"\nsocket = \"/run/vm1.sock\"\n{0} = {2}{1}{2}\n",
                    setting.key, vm::text_of(value), quote));
    EXPECT_EQ(config.devices, std::vector{wanted}) << setting.key;
  }
}

TEST(Config, LcoresMayBeAWordInsteadOfAList) {
  EXPECT_FALSE(parsed("[reclaim]\nlcores = \"auto\"\n", Profile::kDevelopment).reclaim_lcores);
  const auto none = std::optional(std::vector<unsigned>{});
  EXPECT_EQ(parsed("[reclaim]\nlcores = \"none\"\n").reclaim_lcores, none);
  EXPECT_EQ(parsed("[reclaim]\nlcores = []\n").reclaim_lcores, none);
  EXPECT_EQ(parsed("", Profile::kDevelopment).reclaim_lcores, none);
  EXPECT_FALSE(parsed("").reclaim_lcores) << "production: chosen";
  EXPECT_TRUE(parsed("[poll]\nlcores = \"auto\"\n").poll_lcores.empty());
}

TEST(Config, WarnIsWarning) {
  EXPECT_EQ(parsed("[daemon]\nlog_level = \"warn\"\n").log_level, "warning");
  EXPECT_EQ(parsed("[daemon]\nlog_level = \"error\"\n").log_level, "error");
}

TEST(Config, KnowsWhereEachKeyStands) {
  const Places places = parsed(R"([daemon]

rpc_group = "x"
[[device]]
name = "a"
socket = "s"
[[device]]
socket = "t"
name = "b"
group = "g"
)")
                            .places;
  EXPECT_EQ(places.of("daemon.rpc_group"), "t.toml:3: ");
  EXPECT_EQ(places.of("daemon.state_dir"), "");
  EXPECT_EQ(places.of_device("a", "socket"), "t.toml:6: ");
  EXPECT_EQ(places.of_device("b", "group"), "t.toml:10: ");
  EXPECT_EQ(places.of_device("a", "group"), "t.toml:4: ") << "its block";
  EXPECT_EQ(places.of_device("c", "group"), "");
}

TEST(Config, FileIsStrongerThanTheProfile) {
  const Config config = parsed("[poll]\nidle = \"spin\"\n", Profile::kDevelopment);
  EXPECT_EQ(config.idle, IdleStrategy::kSpin);
  EXPECT_TRUE(config.no_huge);
}

TEST(Config, EmptySocketIsTheDefaultOne) {
  EXPECT_EQ(parsed("[daemon]\nrpc_socket = \"\"\n").rpc_socket,
            default_config(Profile::kProduction).rpc_socket);
}

TEST(Config, ThatIsShippedParsesAndIsTheDefault) {
  const auto config = load_config(VBALLOON_CONFIG_DIR "/vballoond.toml", Profile::kProduction);
  ASSERT_TRUE(config) << config.error().message;
  const Config defaults = default_config(Profile::kProduction);
  EXPECT_EQ(config->rpc_group, defaults.rpc_group);
  EXPECT_EQ(config->state_dir, defaults.state_dir);
  EXPECT_EQ(config->socket_group, defaults.socket_group);
  EXPECT_EQ(config->seccomp, defaults.seccomp);
  EXPECT_EQ(config->log_level, defaults.log_level);
  EXPECT_EQ(config->no_huge, defaults.no_huge);
  EXPECT_EQ(config->memory_mib, defaults.memory_mib);
  EXPECT_EQ(config->main_lcore, defaults.main_lcore);
  EXPECT_EQ(config->eal_args, defaults.eal_args);
  EXPECT_EQ(config->poll_lcores, defaults.poll_lcores);
  EXPECT_EQ(config->idle, defaults.idle);
  EXPECT_EQ(config->reclaim_lcores, defaults.reclaim_lcores);
  EXPECT_EQ(config->window_mib, defaults.window_mib);
  EXPECT_EQ(config->window_age_ms, defaults.window_age_ms);
  EXPECT_EQ(config->hugetlb_reserve, defaults.hugetlb_reserve);
  EXPECT_EQ(config->max_guest_gib, defaults.max_guest_gib);
  EXPECT_EQ(config->max_total_gib, defaults.max_total_gib);
  EXPECT_EQ(config->neighbours, defaults.neighbours);
  EXPECT_EQ(config->stats_interval_ms, defaults.stats_interval_ms);
}

/// What follows in comments, as it is where somebody takes the marks away.
std::string uncommented(const std::string& path, std::string_view from) {
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (text.empty() && line != "# " + std::string(from)) continue;
    text += line.substr(std::min<std::size_t>(2, line.size())) + "\n";
  }
  return text;
}

TEST(Config, ThatIsShippedHasADeviceWithEverySettingAtItsDefault) {
  const std::string block = uncommented(VBALLOON_CONFIG_DIR "/vballoond.toml", "[[device]]");
  const Config config = parsed(block);
  EXPECT_EQ(config.devices, (std::vector<vm::Settings>{{"vm1", "/run/vballoon/vm1.sock"}}));
  for (const vm::Setting& setting : vm::kSettings) {
    EXPECT_NE(block.find("\n" + std::string(setting.key) + " = "), std::string::npos)
        << setting.key;
  }
}

TEST(Config, ThatIsNotThereNamesItsPath) {
  const auto config = load_config("/nonexistent/x.toml", Profile::kProduction);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kNotFound);
  EXPECT_NE(config.error().message.find("/nonexistent/x.toml"), std::string::npos);
}

TEST(Config, ThatIsAFolderIsAnError) {
  EXPECT_FALSE(load_config("/tmp", Profile::kProduction));
}

}  // namespace
}  // namespace vballoon::service
