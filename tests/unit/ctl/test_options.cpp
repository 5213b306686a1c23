// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "options.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

TEST(Options, BecomeWhatTheDaemonTakes) {
  Json params{{"name", "vm1"}};
  add_options({"automatic=on", "weight=200", "packed=false"}, &params);
  EXPECT_EQ(params.dump(), R"({"name":"vm1","automatic":true,"weight":200,"packed":false})");
}

TEST(Options, ThatAreNoneAreFoundBeforeAnybodyIsAsked) {
  EXPECT_EQ(option_fault("weight=200"), "");
  EXPECT_EQ(option_fault("packed=false"), "") << "for `add`; at run time the daemon refuses it";
  EXPECT_EQ(option_fault("weight"), "'weight' is not KEY=VALUE, as in automatic=true");
  EXPECT_EQ(option_fault("wieght=1"), "unknown setting 'wieght'; did you mean 'weight'?");
  EXPECT_EQ(option_fault("weight=0"), "'weight' must be a whole number from 1 to 10000, not '0'");
  EXPECT_EQ(option_fault("group=kvm"), "'group' is set in the configuration only");
  for (const char* key : {"name", "socket", "mode"}) {
    EXPECT_EQ(option_fault(std::string(key) + "=x"),
              "'" + std::string(key) + "' is no setting: NAME, SOCKET and --client say it");
  }
}

TEST(Options, AreShownWhereTheyAreNotTheDefault) {
  EXPECT_EQ(changed_options({{"packed", true}, {"weight", 100}, {"group", ""}}), "");
  EXPECT_EQ(changed_options({{"packed", false}, {"weight", 7}, {"group", "a\033b"}}),
            "packed=false, group=a\\x1bb, weight=7")
      << "fit for a terminal";
  EXPECT_EQ(changed_options({{"weight", "odd"}, {"newer", 1}}), "weight=odd")
      << "another version of the daemon";
  EXPECT_EQ(changed_options(Json()), "");
}

}  // namespace
}  // namespace vballoon::ctl
