// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_topology.cpp - cores and nodes of machines, this one and imagined ones.
#include <gtest/gtest.h>

#include "lcore/placement/topology.hpp"

namespace vballoon::lcore {
namespace {

TEST(Topology, OfAnImaginedMachine) {
  const auto topology = Topology::synthetic("node:2 core:3 pu:2");
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_EQ(topology->cpus().size(), 12U);
  EXPECT_EQ(topology->where(0).node, 0U);
  EXPECT_EQ(topology->where(6).node, 1U);
  EXPECT_EQ(topology->where(0).core, topology->where(1).core);
  EXPECT_NE(topology->where(1).core, topology->where(2).core);
  EXPECT_TRUE(topology->shares_core(1, {0, 5}));
  EXPECT_FALSE(topology->shares_core(1, {1, 2})) << "a cpu is not its own neighbour";
}

TEST(Topology, ACpuThatIsNotKnownHasACoreOfItsOwn) {
  const auto topology = Topology::synthetic("node:1 core:1 pu:2");
  ASSERT_TRUE(topology);
  EXPECT_EQ(topology->where(77).cpu, 77U);
  EXPECT_EQ(topology->where(77).node, 0U);
  EXPECT_FALSE(topology->shares_core(77, {0, 78}));
}

TEST(Topology, OfNonsenseIsAnError) {
  const auto topology = Topology::synthetic("a big one");
  ASSERT_FALSE(topology);
  EXPECT_NE(topology.error().message.find("a big one"), std::string::npos);
}

TEST(Topology, OfThisHostKnowsEveryCpuWeMayUse) {
  const auto topology = Topology::of_this_host();
  ASSERT_TRUE(topology) << topology.error().message;
  for (const unsigned cpu : read_cpus().allowed) {
    EXPECT_NE(topology->where(cpu).core, UINT32_MAX) << cpu;
  }
}

}  // namespace
}  // namespace vballoon::lcore
