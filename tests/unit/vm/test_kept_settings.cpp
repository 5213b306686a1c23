// SPDX-License-Identifier: BSD-3-Clause
//
// Settings as text for the next daemon.
#include <gtest/gtest.h>

#include "support/another_value.hpp"
#include "vm/kept_settings.hpp"

namespace vballoon::vm {
namespace {

Settings plain() {
  Settings settings;
  settings.name = "vm1";
  settings.socket = "/run/vballoon/a socket = another.sock";
  return settings;
}

void expect_back(const KeptSettings& kept) {
  const auto read = read_kept_settings(lines_of(kept));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, kept) << lines_of(kept);
}

std::string refused(const std::string& lines) {
  const auto read = read_kept_settings(lines);
  return read ? "" : read.error().message;
}

TEST(KeptSettings, ComeBackAsTheyWere) {
  for (const bool configured : {false, true}) {
    for (const bool client : {false, true}) {
      Settings settings = plain();
      settings.client = client;
      expect_back({configured, settings, settings});
    }
  }
}

TEST(KeptSettings, HaveEveryRowOfTheTableAsItWasAndAsItIs) {
  for (const Setting& setting : kSettings) {
    const Settings other = test::with_another(setting, plain());
    expect_back({true, plain(), other});
    expect_back({true, other, plain()});
    expect_back({false, other, other});
  }
}

TEST(KeptSettings, OfALaterDaemonAreReadAsFarAsTheyAreKnown) {
  const auto read = read_kept_settings(lines_of({false, plain(), plain()}) +
                                       "colour=blue\nnow.colour=red\nnow.weight=7\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->now.weight, 7U);
  EXPECT_EQ(read->added, plain());
}

TEST(KeptSettings, ThatAreNoneAreRefused) {
  const std::string good = lines_of({false, plain(), plain()});
  EXPECT_NE(refused(""), "");
  EXPECT_NE(refused("name=vm1\n"), "") << "without a socket";
  EXPECT_NE(refused("socket=/a\n"), "") << "without a name";
  EXPECT_NE(refused(good + "name=../a\n"), "");
  EXPECT_NE(refused(good + "weight\n").find("'weight'"), std::string::npos);
  EXPECT_NE(refused(good + "now.weight\n").find("weight"), std::string::npos);
  EXPECT_NE(refused(good + "weight=0\n").find("from 1 to 10000"), std::string::npos);
  EXPECT_NE(refused(good + "now.packed=maybe\n").find("packed"), std::string::npos);
}

TEST(KeptSettings, OfTheLongestNameAndSocketAreShort) {
  Settings settings = plain();
  settings.name = std::string(64, 'n');
  settings.socket = "/" + std::string(106, 's');
  KeptSettings kept{true, settings, settings};
  for (const Setting& setting : kSettings) {
    put(setting, test::another_value(setting, kept.now), &kept.now);
  }
  EXPECT_LE(lines_of(kept).size(), 1024U);
}

}  // namespace
}  // namespace vballoon::vm
