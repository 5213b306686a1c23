// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "base/units.hpp"
#include "progress.hpp"

namespace vballoon::ctl {
namespace {

using std::chrono::seconds;
constexpr std::uint64_t kWhole = 512 * kMiB;

class ProgressTest : public testing::Test {
 protected:
  Verdict see(std::uint64_t actual, int second, std::uint64_t target = kWhole) {
    return progress_.see(target, actual, begin_ + seconds(second));
  }
  Progress::Clock::time_point begin_{};
  Progress progress_{kWhole, 0, begin_, seconds(60)};
};

TEST_F(ProgressTest, GoesOnWhileTheBalloonMoves) {
  for (int second = 0; second < 50; ++second) {
    EXPECT_EQ(see(static_cast<std::uint64_t>(second) * kMiB, second), Verdict::kGoing);
  }
}

TEST_F(ProgressTest, EndsAtTheTarget) {
  EXPECT_EQ(see(kWhole, 1), Verdict::kReached);
}

TEST_F(ProgressTest, EndsAsCloseAsAGuestWithLargePagesCanCome) {
  EXPECT_EQ(see(kWhole - 60 * kKiB, 1), Verdict::kReached);
  EXPECT_EQ(see(kWhole + 60 * kKiB, 1), Verdict::kReached);
  EXPECT_EQ(see(kWhole - 64 * kKiB, 1), Verdict::kGoing);
}

TEST_F(ProgressTest, StallsAfterTenSecondsWithoutAStep) {
  EXPECT_EQ(see(100 * kMiB, 5), Verdict::kGoing);
  EXPECT_EQ(see(100 * kMiB, 14), Verdict::kGoing);
  EXPECT_EQ(see(100 * kMiB, 15), Verdict::kStalled);
}

TEST_F(ProgressTest, IsSilentAfterFiveSecondsWithoutABeginning) {
  EXPECT_EQ(see(0, 4), Verdict::kGoing);
  EXPECT_EQ(see(0, 5), Verdict::kSilent);
  Progress further(kWhole, 100 * kMiB, begin_, std::nullopt);
  EXPECT_EQ(further.see(kWhole, 90 * kMiB, begin_ + seconds(5)), Verdict::kSilent)
      << "further away is no beginning";
}

TEST_F(ProgressTest, StallsForAGuestThatSwings) {
  EXPECT_EQ(see(100 * kMiB, 1), Verdict::kGoing);
  for (int second = 2; second < 11; ++second) {
    EXPECT_EQ(see((second % 2 == 0 ? 90 : 100) * kMiB, second), Verdict::kGoing);
  }
  EXPECT_EQ(see(95 * kMiB, 11), Verdict::kStalled);
}

TEST_F(ProgressTest, KeepsToTheCallersLimit) {
  EXPECT_EQ(see(1 * kMiB, 55), Verdict::kGoing);
  EXPECT_EQ(see(2 * kMiB, 60), Verdict::kTimedOut);
}

TEST_F(ProgressTest, EndsWhenSomebodyElseSetsAnotherTarget) {
  EXPECT_EQ(see(kWhole, 1, kWhole / 2), Verdict::kRetargeted);
}

TEST_F(ProgressTest, ReachesNothingThatIsNotKnown) {
  Progress progress(0, std::nullopt, begin_, std::nullopt);
  const auto at = [this](int second) { return begin_ + seconds(second); };
  EXPECT_EQ(progress.see(0, std::nullopt, at(1)), Verdict::kGoing);
  EXPECT_EQ(progress.done_bytes(std::nullopt), 0U);
  EXPECT_EQ(progress.see(0, std::nullopt, at(4)), Verdict::kGoing);
  EXPECT_EQ(progress.see(0, kWhole, at(4)), Verdict::kGoing) << "it said so: that is a step";
  EXPECT_EQ(progress.whole_bytes(), kWhole);
  EXPECT_EQ(progress.see(0, kWhole, at(10)), Verdict::kGoing);
  EXPECT_EQ(progress.see(0, 0, at(11)), Verdict::kReached);
  Progress silent(0, std::nullopt, begin_, std::nullopt);
  EXPECT_EQ(silent.see(0, std::nullopt, at(5)), Verdict::kSilent);
}

TEST_F(ProgressTest, CountsTheWayInBothDirections) {
  EXPECT_EQ(progress_.done_bytes(128 * kMiB), 128 * kMiB);
  EXPECT_EQ(progress_.whole_bytes(), kWhole);
  const Progress down(0, kWhole, begin_, std::nullopt);
  EXPECT_EQ(down.done_bytes(kWhole), 0U);
  EXPECT_EQ(down.done_bytes(kWhole / 4), 3 * (kWhole / 4));
  EXPECT_EQ(down.done_bytes(2 * kWhole), 0U) << "further away than it began";
}

}  // namespace
}  // namespace vballoon::ctl
