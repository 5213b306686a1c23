// SPDX-License-Identifier: BSD-3-Clause
//
// Source: docs/policy.md, "What it looks at".
#include <gtest/gtest.h>

#include <deque>

#include "base/units.hpp"
#include "policy/observe.hpp"

namespace vballoon::service {
namespace {

class ObserveTest : public testing::Test {
 protected:
  ObserveTest() {
    host_.total = 64 * kGiB;
    host_.available = 10 * kGiB;
    for (unsigned node = 0; node < 2; ++node) {
      policy::NodeMemory memory;
      memory.node = node;
      memory.total = 32 * kGiB;
      memory.available = (1 + node) * kGiB;
      host_.nodes.push_back(memory);
      host_.huge_pages.push_back({node, 2 * kMiB, 1000, 100 * (1 + node), 0});
    }
  }
  vm::VmFigures& vm(std::uint64_t page_bytes, std::optional<unsigned> node) {
    vm::VmFigures figures;
    figures.state = vm::State::kRunning;
    figures.guest_bytes = kGiB;
    figures.host_page_bytes = page_bytes;
    figures.node = node;
    return vms_.emplace_back(figures);
  }
  [[nodiscard]] policy::Observation look(std::uint64_t reserve_mib = 0) const {
    policy::Observer observer(host_, reserve_mib);
    for (const vm::VmFigures& figures : vms_) observer.add("vm", figures, wish_);
    return observer.take();
  }

  policy::MemoryFigures host_;
  std::deque<vm::VmFigures> vms_;
  policy::VmWish wish_;  // of all of them
};

TEST_F(ObserveTest, AHostWithoutVmsIsOnePool) {
  const auto seen = look();
  ASSERT_EQ(seen.pools.size(), 1U);
  EXPECT_EQ(seen.pools[0].available, 10 * kGiB);
  EXPECT_EQ(seen.pools[0].reserve, 64 * kGiB / 10);
  EXPECT_EQ(seen.pools[0].swapped, 0U);
}

TEST_F(ObserveTest, TheReserveIsATenthWithinBoundsOrAsAskedFor) {
  EXPECT_EQ(look(100).pools[0].reserve, 100 * kMiB);
  host_.total = 512 * kGiB;
  EXPECT_EQ(look().pools[0].reserve, 8 * kGiB);
  host_.total = 100 * kMiB;
  EXPECT_EQ(look().pools[0].reserve, 64 * kMiB);
  EXPECT_EQ(look(1000).pools[0].reserve, 100 * kMiB) << "no more than there is";
}

TEST_F(ObserveTest, OrdinaryPagesOfABoundGuestAreItsNodesAndTheHosts) {
  vm(kPageSize, std::nullopt);
  vm(kPageSize, 1);
  const auto seen = look();
  ASSERT_EQ(seen.pools.size(), 2U);
  EXPECT_EQ(seen.vms[0].pool, 0U);
  EXPECT_FALSE(seen.vms[0].node);
  EXPECT_EQ(seen.vms[1].pool, 0U);
  EXPECT_EQ(seen.vms[1].node, 1U);
  EXPECT_EQ(seen.pools[1].name, "node 1");
  EXPECT_EQ(seen.pools[1].available, 2 * kGiB);
  EXPECT_NEAR(static_cast<double>(seen.pools[1].reserve),
              static_cast<double>(seen.pools[0].reserve) / 2, 4096.0);
}

TEST_F(ObserveTest, OnAMachineOfOneNodeTheNodeIsTheHost) {
  host_.nodes.pop_back();
  vm(kPageSize, 0);
  EXPECT_EQ(look().pools.size(), 1U);
}

TEST_F(ObserveTest, HugePagesAreAPoolBySizeAndNode) {
  vm(2 * kMiB, std::nullopt);
  vm(2 * kMiB, 1);
  vm(2 * kMiB, 1);
  vm(kGiB, std::nullopt);
  const auto seen = look();
  ASSERT_EQ(seen.pools.size(), 4U);
  EXPECT_EQ(seen.pools[seen.vms[0].pool].available, 300 * 2 * kMiB);
  EXPECT_EQ(seen.pools[seen.vms[1].pool].available, 200 * 2 * kMiB);
  EXPECT_EQ(seen.vms[1].pool, seen.vms[2].pool);
  EXPECT_TRUE(seen.pools[seen.vms[2].pool].known);
  EXPECT_FALSE(seen.pools[seen.vms[3].pool].known) << "the host tells of no such pool";
  EXPECT_EQ(seen.pools[seen.vms[0].pool].reserve, 0U);
}

TEST_F(ObserveTest, OfACgroupWhatIsSwappedIsTheGuests) {
  host_.cgroup.emplace().swap = 7 * kMiB;
  EXPECT_EQ(look().pools[0].swapped, 7 * kMiB);
  EXPECT_EQ(look().pools[0].name, "cgroup");
}

TEST_F(ObserveTest, WishesAndFiguresOfAVm) {
  vm::Settings config{"vm0", "/tmp/s"};
  config.automatic = true;
  config.floor_mib = 1;
  config.ceiling_mib = 2;
  config.weight = 3;
  wish_ = policy::wish_of(config, std::nullopt);
  vm::VmFigures& report = vm(kPageSize, std::nullopt);
  report.target_bytes = 10;
  report.actual_bytes = 20;
  report.resident_bytes = 30;
  report.inhibited = true;
  report.pressure_messages = 4;
  auto& stats = report.stats.emplace();
  stats.sequence = 9;
  stats.age_ms = 12;
  stats.ballooned_bytes = 15;
  stats.sample.values[static_cast<unsigned>(wire::StatTag::kSwapIn)] = 77;
  stats.sample.present = 1U << static_cast<unsigned>(wire::StatTag::kSwapIn);
  const auto seen = look();
  const policy::VmObservation& one = seen.vms.at(0);
  EXPECT_TRUE(one.automatic && one.running && one.inhibited);
  EXPECT_EQ(one.limits.floor, kMiB);
  EXPECT_EQ(one.limits.ceiling, 2 * kMiB);
  EXPECT_EQ(one.limits.weight, 3U);
  EXPECT_EQ(one.target, 10U);
  EXPECT_EQ(one.actual, 20U);
  EXPECT_TRUE(one.knows_actual);
  EXPECT_EQ(one.resident, 30U);
  EXPECT_EQ(one.pressure_messages, 4U);
  EXPECT_EQ(one.sample->sequence, 9U);
  EXPECT_EQ(one.sample->age, policy::Time(12));
  EXPECT_EQ(one.sample->actual, 15U) << "the ledger's, of that moment, not the driver's of now";
  EXPECT_EQ(one.sample->swap_in, 77U);
  EXPECT_FALSE(one.sample->available) << "the guest did not send it";
}

TEST_F(ObserveTest, ASizeThatIsNotKnownIsNotZero) {
  vm::VmFigures& report = vm(kPageSize, std::nullopt);
  report.actual_bytes.reset();
  EXPECT_FALSE(look().vms.at(0).knows_actual);
  report.stats.emplace().ballooned_bytes = 15;
  EXPECT_EQ(look().vms.at(0).sample->actual, 15U);
  report.ledger_whole = false;
  EXPECT_EQ(look().vms.at(0).sample->actual, std::nullopt) << "the ledger does not know all of it";
}

TEST_F(ObserveTest, WhoHasNoDriverOrNoMemoryDoesNotRun) {
  vm(kPageSize, std::nullopt).state = vm::State::kConnected;
  vm(kPageSize, std::nullopt).guest_bytes = 0;
  const auto seen = look();
  EXPECT_FALSE(seen.vms[0].running);
  EXPECT_FALSE(seen.vms[1].running);
}

}  // namespace
}  // namespace vballoon::service
