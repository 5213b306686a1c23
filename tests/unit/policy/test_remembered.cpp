// SPDX-License-Identifier: BSD-3-Clause
//
// What is remembered of a VM goes when the VM does, and no earlier.
#include <gtest/gtest.h>

#include "policy/remembered.hpp"

namespace vballoon::policy {
namespace {

TEST(Remembered, IsThereFromTurnToTurnInAnyOrder) {
  Remembered<int> seen;
  seen.of("a") = 1;
  seen.of("b") = 2;
  seen.end_turn();
  EXPECT_EQ(seen.of("b"), 2);
  EXPECT_EQ(seen.of("a"), 1);
}

TEST(Remembered, IsForgottenOfOneThatWasNotThereForATurn) {
  Remembered<int> seen;
  seen.of("a") = 1;
  seen.of("b") = 2;
  seen.end_turn();
  EXPECT_EQ(seen.of("a"), 1);
  seen.end_turn();
  EXPECT_EQ(seen.of("b"), 0);
  EXPECT_EQ(seen.of("a"), 1);
}

/// As many as before, and one of them another.
TEST(Remembered, IsForgottenOfOneInWhosePlaceAnotherCame) {
  Remembered<int> seen;
  seen.of("a") = 1;
  seen.of("b") = 2;
  seen.end_turn();
  EXPECT_EQ(seen.of("a"), 1);
  EXPECT_EQ(seen.of("c"), 0);
  seen.end_turn();
  EXPECT_EQ(seen.of("b"), 0);
}

TEST(Remembered, OfOneThatIsAskedAboutTwiceHidesNobodyThatIsGone) {
  Remembered<int> seen;
  seen.of("a") = 1;
  seen.of("b") = 2;
  seen.end_turn();
  EXPECT_EQ(seen.of("a"), 1);
  EXPECT_EQ(seen.of("a"), 1);
  seen.end_turn();
  EXPECT_EQ(seen.of("b"), 0);
}

TEST(Remembered, StaysWhereItIsWhenOthersComeAndGo) {
  Remembered<int> seen;
  int& a = seen.of("a");
  a = 1;
  for (int i = 0; i < 1000; ++i) seen.of(std::to_string(i)) = i;
  seen.end_turn();
  EXPECT_EQ(&seen.of("a"), &a);
  seen.end_turn();
  EXPECT_EQ(&seen.of("a"), &a);
}

}  // namespace
}  // namespace vballoon::policy
