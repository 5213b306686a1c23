// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vm/test_size_question.cpp - when a driver is asked for the size of its balloon.
#include <gtest/gtest.h>

#include "vm/size_question.hpp"

namespace vballoon::vm {
namespace {

using Step = SizeQuestion::Step;
constexpr std::uint64_t kPatience = SizeQuestion::kPatienceMs;

TEST(SizeQuestions, AreNotAskedBeforeADriverHadTimeToMove) {
  SizeQuestion question;
  EXPECT_FALSE(question.due(UINT64_MAX - 1)) << "nobody began";
  question.begin(100);
  EXPECT_FALSE(question.due(100 + kPatience - 1));
  EXPECT_TRUE(question.due(100 + kPatience));
}

TEST(SizeQuestions, AreNotPutOffByTellingItsTargetAgain) {
  SizeQuestion question;
  question.begin(100);
  question.begin(900);
  EXPECT_TRUE(question.due(100 + kPatience));
}

TEST(SizeQuestions, ShowAnotherTargetForAMomentAndLessAndLessOften) {
  SizeQuestion question;
  question.begin(0);
  std::uint64_t now = kPatience;
  std::uint64_t patience = kPatience;
  for (int times = 0; times < 10; ++times) {
    EXPECT_EQ(question.next(now), Step::kShowOther);
    EXPECT_TRUE(question.asking());
    now += SizeQuestion::kAnswerMs;
    EXPECT_FALSE(question.due(now - 1));
    ASSERT_TRUE(question.due(now));
    EXPECT_EQ(question.next(now), Step::kShowTrue);
    patience = std::min(2 * patience, SizeQuestion::kMostPatienceMs);
    EXPECT_FALSE(question.due(now + patience - 1));
    now += patience;
    ASSERT_TRUE(question.due(now));
  }
  EXPECT_EQ(patience, SizeQuestion::kMostPatienceMs);
}

TEST(SizeQuestions, EndAndSayWhetherTheTrueTargetIsToBeShown) {
  SizeQuestion question;
  question.begin(0);
  EXPECT_FALSE(question.end());
  EXPECT_FALSE(question.due(UINT64_MAX - 1));
  question.begin(0);
  static_cast<void>(question.next(kPatience));
  EXPECT_TRUE(question.end());
  EXPECT_FALSE(question.end());
}

TEST(SizeQuestions, DoNotPressAGuest) {
  EXPECT_EQ(SizeQuestion::other(1000), 1000 - SizeQuestion::kStep);
  EXPECT_EQ(SizeQuestion::other(SizeQuestion::kStep), 0U);
  EXPECT_EQ(SizeQuestion::other(0), SizeQuestion::kStep) << "there is no smaller one";
}

}  // namespace
}  // namespace vballoon::vm
