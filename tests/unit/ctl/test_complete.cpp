// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <algorithm>

#include "complete.hpp"
#include "vm/settings.hpp"

namespace vballoon::ctl {
namespace {

using Words = std::vector<std::string>;

Words completed(const Words& words) {
  return complete(words, [](const std::string& rpc) {
    return rpc.empty() ? Words{"vm1", "vm2", "web"} : Words{rpc};
  });
}

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(Complete, CommandsAndThoseWithinACommand) {
  const Words all = completed({""});
  for (const char* command : {"list", "show", "set-option", "policy"}) {
    EXPECT_TRUE(has(all, command)) << command;
  }
  EXPECT_EQ(completed({"set"}), (Words{"set", "set-option"}));
  EXPECT_EQ(completed({"policy", ""}), (Words{"show", "explain", "auto"}));
}

TEST(Complete, VmsSwitchesAndActions) {
  EXPECT_EQ(completed({"show", "vm"}), (Words{"vm1", "vm2"}));
  EXPECT_EQ(completed({"show", "vm1", ""}), Words()) << "nothing comes after it";
  EXPECT_EQ(completed({"prefault", "vm1", ""}), (Words{"on", "off"}));
  EXPECT_EQ(completed({"policy", "auto", "vm1", "of"}), Words{"off"});
  EXPECT_EQ(completed({"hint", "vm1", ""}), (Words{"start", "stop", "done"}));
  EXPECT_EQ(completed({"--rpc", "/x", "--json", "show", ""}), Words{"/x"})
      << "the daemon that the line names is asked";
}

TEST(Complete, OptionsOfTheCommandAndOfAll) {
  const Words options = completed({"set", "vm1", "--"});
  for (const char* option : {"--force", "--wait", "--timeout", "--json", "--rpc"}) {
    EXPECT_TRUE(has(options, option)) << option;
  }
  EXPECT_FALSE(has(completed({"show", "--"}), "--force"));
  EXPECT_EQ(completed({"set", "vm1", "1G", "--timeout", ""}), Words()) << "a number of seconds";
}

TEST(Complete, SetOptionTakesEveryLiveSettingAndNoOther) {
  Words live;
  for (const vm::Setting* setting : vm::live_settings()) {
    live.push_back(std::string(setting->key) + "=");
  }
  EXPECT_EQ(completed({"set-option", "vm1", ""}), live);
  EXPECT_EQ(completed({"set-option", "vm1", "weight=2", ""}), live) << "as many as one likes";
  EXPECT_EQ(completed({"set-option", "vm1", "we"}), Words{"weight="});
  EXPECT_EQ(completed({"set-option", "vm1", "weight="}), Words());
  EXPECT_EQ(completed({"set-option", "vm1", "automatic="}),
            (Words{"automatic=true", "automatic=false"}));
}

TEST(Complete, AddTakesEverySettingButThoseOfTheConfigurationAlone) {
  const Words keys = completed({"add", "vm9", "/run/vm9.sock", "-k", ""});
  for (const vm::Setting& setting : vm::kSettings) {
    EXPECT_EQ(has(keys, std::string(setting.key) + "="), setting.source == vm::Source::kAnybody)
        << setting.key;
  }
  EXPECT_EQ(completed({"add", "vm9", "s", "--key", "packed=f"}), Words{"packed=false"});
  EXPECT_EQ(completed({"add", "vm9", "s", "--key", "kind="}), (Words{"kind=stock", "kind=large"}));
}

TEST(Complete, OfNonsenseIsNothing) {
  EXPECT_EQ(completed({}), Words());
  EXPECT_EQ(completed({"shw", "vm1", "x"}), Words());
  EXPECT_EQ(completed({"show", "--no-such", "zz"}), Words());
}

}  // namespace
}  // namespace vballoon::ctl
