// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "keep/boot_clock.hpp"
#include "vhost/blame.hpp"

namespace vballoon::vhost {
namespace {

using Standing = Blame::Standing;

class BlameTest : public ::testing::Test {
 protected:
  /// What the next daemon makes of it. @return what it logs.
  std::string judge(Standing* standing) {
    Blame blame;
    blame.keep_in(page_, {});
    std::string news = blame.judge();
    *standing = blame.standing();
    EXPECT_EQ(blame.why_not_served().empty(), *standing == Standing::kServed);
    return news;
  }
  void expect(Standing expected, bool news) {
    Standing standing{};
    EXPECT_EQ(!judge(&standing).empty(), news);
    EXPECT_EQ(standing, expected);
  }
  void crash() { page_.note(keep::boot_ms()); }

  keep::CrashBook book_ = keep::CrashBook::make().value();
  keep::CrashPage& page_ = *book_.page_of("vm0");
};

TEST_F(BlameTest, AVmIsSetAsideAfterFiveCrashes) {
  expect(Standing::kServed, false);
  for (int i = 0; i < 4; ++i) {
    crash();
    expect(Standing::kServed, true);
  }
  // A daemon that ended without a crash of its doing.
  expect(Standing::kServed, false);
  crash();
  expect(Standing::kSetAside, true);
  expect(Standing::kSetAside, false);
}

TEST_F(BlameTest, AVmThatCrashesTheDaemonAlsoThenIsShutOut) {
  page_.set_verdict(static_cast<std::uint32_t>(Standing::kSetAside));
  for (int i = 0; i < 2; ++i) {
    crash();
    expect(Standing::kSetAside, true);
  }
  crash();
  expect(Standing::kShutOut, true);
  for (int i = 0; i < 10; ++i) crash();
  expect(Standing::kShutOut, true);
  expect(Standing::kShutOut, false);
}

TEST_F(BlameTest, CrashesOfLongAgoCountForNothing) {
  const std::uint64_t now = keep::boot_ms();
  for (int i = 0; i < 4; ++i) page_.note(1);
  page_.note(now);
  if (now > keep::CrashPage::kWindowMs + 1) {
    expect(Standing::kServed, true);
  } else {
    GTEST_SKIP() << "the host has booted within the last ten minutes";
  }
}

TEST_F(BlameTest, AVmThatIsReadmittedBeginsAnew) {
  for (const Standing standing : {Standing::kServed, Standing::kSetAside, Standing::kShutOut}) {
    page_.set_verdict(static_cast<std::uint32_t>(standing));
    for (int i = 0; i < 2; ++i) crash();
    {
      Blame blame;
      blame.keep_in(page_, {});
      EXPECT_FALSE(blame.judge().empty());
      EXPECT_EQ(blame.standing(), standing);
      blame.readmit();
      EXPECT_EQ(blame.standing(), Standing::kServed);
    }
    expect(Standing::kServed, false);
  }
}

TEST_F(BlameTest, ADeviceThatIsRemovedLeavesNothing) {
  page_.set_verdict(static_cast<std::uint32_t>(Standing::kSetAside));
  Blame blame;
  blame.keep_in(page_, {});
  EXPECT_TRUE(blame.judge().empty());
  blame.forget();
  EXPECT_EQ(book_.page_of("vm0")->verdict(), 0U);
}

TEST_F(BlameTest, AVerdictThatCannotBeIsNone) {
  page_.set_verdict(3);
  expect(Standing::kServed, false);
  page_.set_verdict(~0U);
  expect(Standing::kServed, false);
}

TEST_F(BlameTest, WhereNobodyKeepsBookAllAreServed) {
  Blame blame;
  EXPECT_TRUE(blame.judge().empty());
  EXPECT_EQ(blame.standing(), Standing::kServed);
  blame.readmit();
  blame.forget();
}

}  // namespace
}  // namespace vballoon::vhost
