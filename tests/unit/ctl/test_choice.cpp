// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "choice.hpp"

namespace vballoon::ctl {
namespace {

using Names = std::vector<std::string>;

const Names kAll{"db-1", "web-2", "web-1", "web-10", "x"};

TEST(Choice, IsWhatNoNameCanBe) {
  for (const char* const text : {"a,b", "web-*", "web-?", "[dw]*", ","}) {
    EXPECT_TRUE(is_choice(text)) << text;
  }
  for (const char* const text : {"a", "web-1", "a.b_c", ""}) EXPECT_FALSE(is_choice(text)) << text;
}

TEST(Choice, IsEachOnceInTheOrderOfTheList) {
  EXPECT_EQ(choose("x,db-1", kAll).value(), (Names{"db-1", "x"}));
  EXPECT_EQ(choose("web-1,web-*,web-1", kAll).value(), (Names{"web-2", "web-1", "web-10"}));
  EXPECT_EQ(choose("web-?", kAll).value(), (Names{"web-2", "web-1"}));
  EXPECT_EQ(choose("[dx]*", kAll).value(), (Names{"db-1", "x"}));
  EXPECT_EQ(choose("*", kAll).value(), kAll);
}

TEST(Choice, OfAPartThatFitsNoneIsRefusedWhole) {
  const auto said = [](const char* text) {
    const auto chosen = choose(text, kAll);
    EXPECT_FALSE(chosen) << text;
    return chosen ? std::string() : chosen.error().message;
  };
  EXPECT_EQ(said("web-1,web-3"), "there is no VM 'web-3'");
  EXPECT_EQ(said("x,cache-*"), "no VM has a name like 'cache-*'");
  EXPECT_EQ(said("x,"), "there is no VM ''");
  EXPECT_EQ(said("web"), "there is no VM 'web'");
}

}  // namespace
}  // namespace vballoon::ctl
