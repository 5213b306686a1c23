// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/lcore/test_place.cpp - which cpus lcores get, on machines of every kind.
#include <gtest/gtest.h>

#include <numeric>

#include "lcore/placement/place.hpp"

namespace vballoon::lcore {
namespace {

CpuList range(unsigned first, unsigned end) {
  CpuList cpus(end - first);
  std::iota(cpus.begin(), cpus.end(), first);
  return cpus;
}

CpuList cpus_of(const std::vector<Seat>& seats) {
  CpuList cpus;
  for (const Seat& seat : seats) cpus.push_back(seat.cpu);
  return cpus;
}

/// Two nodes of four cores with two hyperthreads each: cpus 0 to 7 and 8 to 15.
class TwoNodes : public testing::Test {
 protected:
  Placement placed(const Wishes& wishes, const CpuList& isolated = {}) {
    Cpus cpus{range(0, 16), range(0, 16), isolated};
    std::erase_if(cpus.allowed, [&](unsigned cpu) {
      return std::find(isolated.begin(), isolated.end(), cpu) != isolated.end();
    });
    auto placement = place(topology_, cpus, wishes);
    EXPECT_TRUE(placement) << (placement ? "" : placement.error().message);
    return placement.value_or(Placement{});
  }
  std::string refusal(const Wishes& wishes) {
    const auto placement = place(topology_, Cpus{range(0, 8), range(0, 8), {}}, wishes);
    return placement ? "" : placement.error().message;
  }

  const Topology topology_ = Topology::synthetic("node:2 core:4 pu:2").value();
};

TEST_F(TwoNodes, WithoutIsolatedCpusOnePollsAndOneReclaims) {
  const Placement placement = placed({});
  EXPECT_EQ(cpus_of(placement.poll), (CpuList{15}));
  EXPECT_EQ(cpus_of(placement.reclaim), (CpuList{14}));
  EXPECT_EQ(placement.poll[0].node, 1U);
  EXPECT_FALSE(placement.poll[0].why.empty());
}

TEST_F(TwoNodes, IsolatedCpusGiveEachNodeItsPairOnCoresOfTheirOwn) {
  const Placement placement = placed({}, {4, 5, 6, 12, 13, 14});
  EXPECT_EQ(cpus_of(placement.poll), (CpuList{4, 12}));
  EXPECT_EQ(cpus_of(placement.reclaim), (CpuList{6, 14})) << "5 and 13 share the pollers' cores";
  EXPECT_EQ(placement.reclaim[1].node, 1U);
}

TEST_F(TwoNodes, APollLcoreWithoutAnIsolatedCpuNearDiscardsElsewhere) {
  const Placement placement = placed({}, {4, 12, 14});
  EXPECT_EQ(cpus_of(placement.poll), (CpuList{4, 12}));
  EXPECT_EQ(cpus_of(placement.reclaim), (CpuList{14}));
}

TEST_F(TwoNodes, CoresOfNeighboursAreShunned) {
  Wishes wishes;
  wishes.neighbours = {4, 5, 6};
  const Placement placement = placed(wishes, {4, 5, 6, 7, 3, 2});
  EXPECT_EQ(cpus_of(placement.poll), (CpuList{3})) << "7 is the other half of 6";
  wishes.neighbours = {14};
  EXPECT_EQ(cpus_of(placed(wishes).poll), (CpuList{13}));
}

TEST_F(TwoNodes, ANeighboursCoreIsTakenWithAWordWhereThereIsNoOther) {
  Wishes wishes;
  wishes.neighbours = {4};
  const Placement placement = placed(wishes, {4, 5});
  EXPECT_EQ(cpus_of(placement.poll), (CpuList{5}));
  EXPECT_NE(placement.poll[0].why.find("shares its core"), std::string::npos);
}

TEST_F(TwoNodes, ListsAreObeyed) {
  Wishes wishes;
  wishes.poll = {1, 9};
  wishes.reclaim = CpuList{3};
  const Placement placement = placed(wishes, {4, 5});
  EXPECT_EQ(cpus_of(placement.poll), (CpuList{1, 9}));
  EXPECT_EQ(cpus_of(placement.reclaim), (CpuList{3}));
  wishes.reclaim = CpuList{};
  EXPECT_TRUE(placed(wishes, {4, 5}).reclaim.empty());
}

TEST_F(TwoNodes, AChosenCpuGivesWayToOneThatWasNamed) {
  Wishes wishes;
  wishes.control = 15;
  EXPECT_EQ(cpus_of(placed(wishes).poll), (CpuList{14}));
  wishes.reclaim = CpuList{14};
  EXPECT_EQ(cpus_of(placed(wishes).poll), (CpuList{13}));
}

TEST_F(TwoNodes, WhatMayFloatIsGivenNothingThatWasNotNamed) {
  Wishes wishes;
  wishes.may_float = true;
  EXPECT_TRUE(placed(wishes, {4, 5}).poll.empty());
  EXPECT_TRUE(placed(wishes, {4, 5}).reclaim.empty());
  wishes.poll = {2};
  EXPECT_EQ(cpus_of(placed(wishes).poll), (CpuList{2}));
}

TEST_F(TwoNodes, RefusalsNameTheKeyAndTheCpu) {
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  Wishes wishes;
  wishes.poll = {9};
  EXPECT_TRUE(has(refusal(wishes), "poll.lcores: cpu 9 is not among")) << refusal(wishes);
  wishes.poll = {1};
  wishes.reclaim = CpuList{1};
  EXPECT_TRUE(has(refusal(wishes), "reclaim.lcores: cpu 1 is in poll.lcores")) << refusal(wishes);
  wishes.reclaim = CpuList{2};
  wishes.control = 2;
  EXPECT_TRUE(has(refusal(wishes), "eal.main_lcore: cpu 2 is in reclaim.lcores"))
      << refusal(wishes);
  wishes.control.reset();
  wishes.neighbours = {2};
  EXPECT_TRUE(has(refusal(wishes), "reclaim.lcores: cpu 2 is a neighbour's")) << refusal(wishes);
}

TEST(SmallMachine, ReclaimOnlyWhereCpusAreLeft) {
  const Topology topology = Topology::synthetic("node:1 core:4 pu:1").value();
  const auto reclaim_of = [&](unsigned count) {
    return cpus_of(place(topology, Cpus{range(0, count), range(0, count), {}}, {})->reclaim);
  };
  EXPECT_EQ(reclaim_of(2), (CpuList{}));
  EXPECT_EQ(reclaim_of(3), (CpuList{}));
  EXPECT_EQ(reclaim_of(4), (CpuList{2}));
  EXPECT_TRUE(place(topology, Cpus{{0}, {0}, {}}, {})->poll.empty()) << "one cpu is shared";
}

TEST(Neighbours, AreAMaskOrAList) {
  EXPECT_EQ(parse_neighbours("0x3c").value(), (CpuList{2, 3, 4, 5}));
  EXPECT_EQ(parse_neighbours("0X100000001").value(), (CpuList{0, 32}));
  EXPECT_EQ(parse_neighbours("0xA").value(), (CpuList{1, 3}));
  EXPECT_EQ(parse_neighbours("2-3,8").value(), (CpuList{2, 3, 8}));
  EXPECT_EQ(parse_neighbours("").value(), (CpuList{}));
  for (const char* text : {"0x", "0xg", "3c", "x", "1-", "0x-1"}) {
    EXPECT_FALSE(parse_neighbours(text)) << text;
  }
  EXPECT_FALSE(parse_neighbours("0x" + std::string(300, 'f')));
}

}  // namespace
}  // namespace vballoon::lcore
