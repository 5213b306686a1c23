// SPDX-License-Identifier: BSD-3-Clause
//
// The effective configuration as text is a file that leads to it, and tells each value's origin.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "service/config/config_text.hpp"
#include "support/another_value.hpp"

namespace vballoon::service {
namespace {

constexpr const char* kFile = R"([daemon]
rpc_socket = "/tmp/a \"b\" \\ \u00e9\n"
state_dir = "/run/x"
log_level = "warn"
[eal]
main_lcore = 2
args = ["--legacy-mem", "a, \"b\""]
[poll]
lcores = [3, 5]
[reclaim]
lcores = "auto"
[placement]
neighbours = "0x3c"
[policy]
reserve_mib = 7
)";

Config config_of(const std::string& text, Profile profile = Profile::kProduction) {
  auto config = parse_config(text, "t.toml", profile);
  EXPECT_TRUE(config) << (config ? "" : config.error().message) << "\n" << text;
  return config.value_or(Config{});
}

constexpr const char* kDevice = R"([[device]]
name = "vm1"
socket = "/run/vm1.sock"
mode = "client"
)";

/// @return the comment behind a key.
std::string origin_of(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key + " = ")) return line.substr(line.rfind("  # ") + 4);
  }
  return "no such key";
}

void expect_the_same(const Config& config) {
  const Config again = config_of(config_text(config), Profile::kProduction);
  EXPECT_EQ(key_texts(again), key_texts(config)) << config_text(config);
  EXPECT_EQ(again.devices, config.devices) << config_text(config);
}

TEST(ConfigText, LeadsToTheSameConfiguration) {
  for (const Profile profile : {Profile::kProduction, Profile::kDevelopment}) {
    for (const std::string& file :
         {std::string(), std::string(kFile) + kDevice, std::string("[reclaim]\nlcores = []\n"),
          std::string("[reclaim]\nlcores = [4]\n")}) {
      expect_the_same(config_of(file, profile));
    }
  }
}

TEST(ConfigText, HasEverySettingOfADevice) {
  for (const vm::Setting& setting : vm::kSettings) {
    Config config = config_of(kDevice);
    config.devices[0] = test::with_another(setting, config.devices[0]);
    expect_the_same(config);
  }
}

TEST(ConfigText, TellsWhereEachValueComesFrom) {
  Config config = config_of(std::string(kFile) + kDevice);
  config.places.add("daemon.state_dir", "--state: ");
  config.devices.push_back({"vm2", "/run/vm2.sock"});
  config.places.add_device("vm2", "", std::string(kDeviceOption));
  const std::string text = config_text(config);
  EXPECT_EQ(origin_of(text, "rpc_socket"), "t.toml:2");
  EXPECT_EQ(origin_of(text, "state_dir"), "--state");
  EXPECT_EQ(origin_of(text, "seccomp"), "default");
  EXPECT_EQ(origin_of(text, "reserve_mib"), "t.toml:15");
  const std::size_t first = text.find("[[device]]"), second = text.rfind("[[device]]");
  ASSERT_LT(first, second);
  EXPECT_EQ(origin_of(text.substr(first), "mode"), "t.toml:19");
  EXPECT_EQ(origin_of(text.substr(second), "name"), "--device");
  EXPECT_EQ(origin_of(text.substr(second), "automatic"), "default");
  const std::string dev = config_text(default_config(Profile::kDevelopment));
  EXPECT_EQ(origin_of(dev, "no_huge"), "--dev");
  EXPECT_EQ(origin_of(dev, "seccomp"), "default");
  EXPECT_NE(dev.find("# main_lcore is not set\n"), std::string::npos);
}

TEST(ConfigText, HasEveryKeyOnceAndTheShippedFileShowsIt) {
  std::ifstream file(VBALLOON_CONFIG_DIR "/vballoond.toml");
  const std::string shipped{std::istreambuf_iterator<char>(file), {}};
  std::set<std::string> names;
  for (const KeyText& key : key_texts(default_config(Profile::kProduction))) {
    EXPECT_TRUE(names.insert(key.name()).second) << key.name();
    const std::string line = key.key + " = ";
    const bool there = shipped.find("\n" + line) != std::string::npos ||
                       shipped.find("\n# " + line) != std::string::npos;
    EXPECT_TRUE(there) << key.name();
  }
}

}  // namespace
}  // namespace vballoon::service
