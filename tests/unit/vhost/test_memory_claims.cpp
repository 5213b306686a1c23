// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/vhost/test_memory_claims.cpp - who may have memory that another device has as well.
#include <gtest/gtest.h>

#include "vhost/memory_claims.hpp"

namespace vballoon::vhost {
namespace {

constexpr ClaimedRegion kRam{1, 2, 0, 1 * kGiB};
constexpr ClaimedRegion kPart{1, 2, 512 * kMiB, 4 * kMiB};

class MemoryClaimsTest : public testing::Test {
 protected:
  void claim(const Claimant& claimant) { ASSERT_TRUE(claims_.claim(claimant, {kRam})); }
  [[nodiscard]] std::string also_of(const Claimant& claimant) const {
    return claims_.also_of(claimant, kPart);
  }
  MemoryClaims claims_{ClaimLimits{}};
};

TEST_F(MemoryClaimsTest, BothDevicesOfOneVmHaveItsMemory) {
  const Claimant stock{"vm1", 100, false};
  const Claimant large{"vm1-large", 100, true};
  claim(stock);
  claim(large);
  EXPECT_EQ(also_of(stock), "");
  EXPECT_EQ(also_of(large), "");
  claim({"vm1-node1", 100, true});
  EXPECT_EQ(also_of(large), "") << "a device for each node";
}

TEST_F(MemoryClaimsTest, ADeviceOfAnotherProcessSharesIt) {
  const Claimant stock{"vm1", 100, false};
  const Claimant large{"vm2", 101, true};
  claim(stock);
  claim(large);
  EXPECT_EQ(also_of(stock), "vm2");
  EXPECT_EQ(also_of(large), "vm1");
}

TEST_F(MemoryClaimsTest, AProcessThatIsNotKnownIsNobodys) {
  const Claimant stock{"vm1", 0, false};
  const Claimant large{"vm2", 0, true};
  claim(stock);
  claim(large);
  EXPECT_EQ(also_of(stock), "vm2");
  EXPECT_EQ(also_of(large), "vm1");
}

TEST_F(MemoryClaimsTest, TwoStockBalloonsOfOneProcessShareIt) {
  const Claimant one{"vm1", 100, false};
  const Claimant other{"vm2", 100, false};
  claim(one);
  claim(other);
  EXPECT_EQ(also_of(one), "vm2");
}

TEST_F(MemoryClaimsTest, MemoryInTwoPlacesOfOneGuestIsShared) {
  const Claimant large{"vm1", 100, true};
  ASSERT_TRUE(claims_.claim(large, {kRam, kPart}));
  EXPECT_EQ(also_of(large), "vm1");
}

}  // namespace
}  // namespace vballoon::vhost
