// SPDX-License-Identifier: BSD-3-Clause
//
// What is remembered of a VM goes when the VM does, and no earlier.
#include <gtest/gtest.h>

#include <string>

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

class RememberedInABook : public testing::Test {
 protected:
  using Seen = Remembered<std::uint64_t>;
  static constexpr keep::Book::Form kForm{"test", "a test", 1, Seen::kPageBytes};

  /// What the next process takes up.
  std::uint64_t left(const std::string& name) {
    Seen next(&book_);
    std::uint64_t found = 0;
    static_cast<void>(next.of(name, [&found](const std::uint64_t& what) { found = what; }));
    return found;
  }

  keep::Book book_ = keep::Book::make(kForm).value();
  Seen seen_{&book_};
};

TEST_F(RememberedInABook, OutlivesTheProcess) {
  seen_.of("a") = 1;
  seen_.of("b") = 2;
  EXPECT_EQ(left("a"), 1U) << "in the middle of a turn, too";
  seen_.end_turn();
  EXPECT_EQ(left("b"), 2U);
  EXPECT_EQ(seen_.of("a"), 1U);
}

TEST_F(RememberedInABook, OfAVmThatIsGoneIsNothingLeft) {
  seen_.of("a") = 1;
  seen_.of("b") = 2;
  seen_.of("c") = 3;
  seen_.end_turn();
  seen_.forget("a");
  EXPECT_EQ(book_.find("a"), nullptr);
  static_cast<void>(seen_.of("c"));
  seen_.end_turn();
  EXPECT_EQ(book_.find("b"), nullptr);
  EXPECT_EQ(left("c"), 3U);
  EXPECT_EQ(seen_.of("a"), 0U);
  EXPECT_EQ(seen_.of("b"), 0U);
}

TEST_F(RememberedInABook, OfAVmThatWentBetweenTwoProcessesIsNothingLeft) {
  seen_.of("a") = 1;
  seen_.of("b") = 2;
  const Seen next(&book_);
  next.keep_only([](std::string_view name) { return name == "b"; });
  EXPECT_EQ(book_.find("a"), nullptr);
  EXPECT_EQ(left("b"), 2U);
}

TEST_F(RememberedInABook, OfAVmThatIsForgottenBeforeItsFirstTurnIsNothingLeft) {
  seen_.of("a") = 1;
  Seen next(&book_);
  next.forget("a");
  next.forget("nobody");
  EXPECT_EQ(next.of("a", [](std::uint64_t&) { ADD_FAILURE() << "it was left"; }), 0U);
}

/// In a turn that goes on. Who is left is counted right.
TEST_F(RememberedInABook, OneThatIsForgottenInATurnHidesNobodyThatIsGone) {
  seen_.of("a") = 1;
  seen_.of("b") = 2;
  seen_.end_turn();
  static_cast<void>(seen_.of("a"));
  seen_.forget("a");
  seen_.of("c") = 3;
  seen_.end_turn();
  EXPECT_EQ(book_.find("b"), nullptr);
  EXPECT_EQ(seen_.of("c"), 3U);
}

TEST_F(RememberedInABook, OfMoreVmsThanPagesIsThereAsLongAsTheProcess) {
  for (std::size_t i = 0; i < keep::Book::kPages + 10; ++i) seen_.of(std::to_string(i)) = i;
  const std::string long_name(100, 'x');
  seen_.of(long_name) = 7;
  seen_.end_turn();
  for (std::size_t i = 0; i < keep::Book::kPages + 10; ++i) {
    ASSERT_EQ(seen_.of(std::to_string(i)), i);
  }
  EXPECT_EQ(seen_.of(long_name), 7U);
  EXPECT_EQ(left("1023"), 1023U);
  EXPECT_EQ(left("1024"), 0U);
}

}  // namespace
}  // namespace vballoon::policy
