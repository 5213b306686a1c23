// SPDX-License-Identifier: BSD-3-Clause
//
// What `wait --until` takes, and when it is true.
#include <gtest/gtest.h>

#include "condition.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

constexpr std::uint64_t kMiB = 1 << 20;

const Json kDevice{{"state", "running"},         {"guest_bytes", 1024 * kMiB},
                   {"target_bytes", 512 * kMiB}, {"actual_bytes", 512 * kMiB + 12288},
                   {"reclaimed_bytes", nullptr}, {"stranded_bytes", std::uint64_t{0}}};

bool is_true(const char* text) {
  const auto condition = parse_condition(text);
  EXPECT_TRUE(condition) << text << ": " << (condition ? "" : condition.error().message);
  return condition && holds(*condition, kDevice);
}

TEST(Condition, ComparesAStateOrASize) {
  for (const char* text :
       {"state=running", "actual=target", "actual=512M", "actual=50%", "actual>=512M",
        "actual<=513M", "stranded=0", "stranded<=actual", "guest>=1G", "target<=target"}) {
    EXPECT_TRUE(is_true(text)) << text;
  }
  for (const char* text : {"state=waiting", "actual=513M", "actual=25%", "actual<=512M",
                           "actual>=513M", "stranded>=actual", "guest<=1023M"}) {
    EXPECT_FALSE(is_true(text)) << text;
  }
}

TEST(Condition, WhatNobodyKnowsIsNeverTrue) {
  for (const char* text :
       {"reclaimed=0", "reclaimed>=0", "reclaimed<=1G", "actual>=reclaimed", "resident<=1T"}) {
    EXPECT_FALSE(is_true(text)) << text;
  }
  const auto share = parse_condition("actual<=50%");
  EXPECT_FALSE(
      holds(*share, {{"actual_bytes", std::uint64_t{0}}, {"guest_bytes", std::uint64_t{0}}}))
      << "of which guest?";
}

TEST(Condition, SaysWhatItDoesNotUnderstand) {
  const std::pair<const char*, const char*> cases[] = {
      {"actual", "there is no comparison by =, <= or >= in it"},
      {"actual<5M", "there is no comparison by =, <= or >= in it"},
      {"", "there is no comparison by =, <= or >= in it"},
      {"aktual=5M", "there is no figure 'aktual'; did you mean 'actual'?"},
      {"state=runing", "there is no state 'runing'; did you mean 'running'?"},
      {"state>=running", "a state takes ="},
      {"actual=much", "much"},
      {"actual=state", "state"},
      {"=5M", "there is no figure ''"},
  };
  for (const auto& [text, why] : cases) {
    const auto condition = parse_condition(text);
    ASSERT_FALSE(condition) << text;
    EXPECT_NE(condition.error().message.find(why), std::string::npos) << condition.error().message;
    EXPECT_NE(condition.error().message.find("actual<=512M"), std::string::npos);
  }
}

}  // namespace
}  // namespace vballoon::ctl
