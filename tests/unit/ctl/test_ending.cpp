// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "base/units.hpp"
#include "ending.hpp"

namespace vballoon::ctl {
namespace {

using rpc::Json;

constexpr std::uint64_t kTarget = 64 * kMiB;

Ending ending(Verdict verdict, const char* state, std::uint64_t target = kTarget) {
  return Ending{verdict, Json{{"state", state}, {"target_bytes", target}}};
}

TEST(WhyNot, IsNothingWhereTheTargetWasReached) {
  EXPECT_EQ(why_not(ending(Verdict::kReached, "running"), kTarget, 5), "");
}

TEST(WhyNot, SaysThatTheTargetStandsWhereItDoes) {
  EXPECT_EQ(why_not(ending(Verdict::kTimedOut, "running"), kTarget, 5),
            "not reached within 5 s; the target stands");
  EXPECT_EQ(why_not(ending(Verdict::kStalled, "waiting"), kTarget, 0),
            "no VMM is connected; the target stands");
  EXPECT_EQ(why_not(ending(Verdict::kGoing, "running"), kTarget, 0),
            "interrupted; the target stands");
}

TEST(WhyNot, TellsASilentDriverFromOneThatIsStuck) {
  Ending stuck = ending(Verdict::kStalled, "running");
  EXPECT_NE(why_not(stuck, kTarget, 0).find("has not said"), std::string::npos);
  stuck.device["actual_bytes"] = 1U;
  EXPECT_NE(why_not(stuck, kTarget, 0).find("no progress"), std::string::npos);
  stuck.verdict = Verdict::kSilent;
  EXPECT_NE(why_not(stuck, kTarget, 0).find("has not begun for 5 s"), std::string::npos);
  stuck.device.erase("actual_bytes");
  EXPECT_NE(why_not(stuck, kTarget, 0).find("has not said for 5 s"), std::string::npos);
  EXPECT_NE(why_not(ending(Verdict::kSilent, "waiting"), kTarget, 0).find("no VMM"),
            std::string::npos);
  EXPECT_NE(why_not(ending(Verdict::kStalled, "stopped"), kTarget, 0).find("paused"),
            std::string::npos);
}

Ending resting(const char* reason, bool newest = true) {
  Ending one = ending(Verdict::kRests, "running");
  one.device["driver"] = Json{{"reason", reason}, {"newest_target", newest}};
  return one;
}

TEST(WhyNot, TellsWhatADriverOfLargePagesSaysOfItself) {
  const std::pair<const char*, const char*> kSaid[]{{"exhausted", "effort"},
                                                    {"no_node", "NUMA"},
                                                    {"withheld", "host has no memory"},
                                                    {"oom", "run out of memory"},
                                                    {"leaving", "about to leave"}};
  for (const auto& [reason, words] : kSaid) {
    EXPECT_TRUE(rests(resting(reason).device)) << reason;
    EXPECT_NE(why_not(resting(reason), kTarget, 0).find(words), std::string::npos) << reason;
  }
}

TEST(Rests, IsNoDriverThatGoesOnOrSpeaksOfAnotherTarget) {
  EXPECT_FALSE(rests(resting("working").device));
  EXPECT_FALSE(rests(resting("reached").device)) << "the size itself says so";
  EXPECT_FALSE(rests(resting("unknown").device));
  EXPECT_FALSE(rests(resting("exhausted", false).device));
  EXPECT_FALSE(rests(ending(Verdict::kGoing, "running").device)) << "the stock device";
  EXPECT_FALSE(rests(Json{{"driver", nullptr}}));
}

TEST(WhyNot, SaysNothingOfATargetThatIsNoLongerOurs) {
  EXPECT_EQ(why_not(ending(Verdict::kRetargeted, "running", 32 * kMiB), kTarget, 0),
            "the target is another one meanwhile, 32 MiB");
  EXPECT_EQ(why_not(ending(Verdict::kGoing, "running", 32 * kMiB), kTarget, 0), "interrupted");
}

}  // namespace
}  // namespace vballoon::ctl
