// SPDX-License-Identifier: BSD-3-Clause
//
// Drivers that go on from elsewhere and have not said how large their balloon is.
#include <gtest/gtest.h>

#include "observed.hpp"
#include "policy/balance_law.hpp"
#include "policy/pressure_law.hpp"

namespace vballoon::policy {
namespace {

/// Its host is short of memory; read as 0 its balloon would have all of the guest's left to take.
Observation with_unknown_size() {
  VmObservation vm = running_vm("vm");
  vm.knows_actual = false;
  vm.target = 64 * kMiB;
  Observation seen = host_with({vm});
  seen.pools[0].available = 0;
  seen.host_pressure = 1;
  return seen;
}

TEST(UnknownSize, MovesNothingUnderTheLawBalance) {
  BalanceLaw law;
  Observation seen = with_unknown_size();
  const Decision decision = law.decide(seen)[0];
  EXPECT_EQ(decision.rule, Rule::kUnknownSize);
  EXPECT_EQ(decision.target, 64 * kMiB);
  seen.vms[0].knows_actual = true;
  seen.now += Time(1000);
  EXPECT_NE(law.decide(seen)[0].target, 64 * kMiB) << "and once it is known";
}

TEST(UnknownSize, MovesNothingUnderTheLawPressure) {
  PressureLaw law({32 * kMiB, std::chrono::seconds(10)});
  Observation seen = with_unknown_size();
  const Decision decision = law.decide(seen)[0];
  EXPECT_EQ(decision.rule, Rule::kUnknownSize);
  EXPECT_EQ(decision.target, 64 * kMiB);
  seen.vms[0].knows_actual = true;
  EXPECT_EQ(law.decide(seen)[0].target, 96 * kMiB);
}

TEST(UnknownSize, DoesNotCountAsAStall) {
  BalanceLaw law;
  Observation seen = with_unknown_size();
  for (int i = 0; i < 10; ++i) {
    seen.now += Time(1000);
    ASSERT_EQ(law.decide(seen)[0].rule, Rule::kUnknownSize);
  }
  seen.vms[0].knows_actual = true;
  seen.now += Time(1000);
  EXPECT_NE(law.decide(seen)[0].rule, Rule::kStalled);
}

}  // namespace
}  // namespace vballoon::policy
