// SPDX-License-Identifier: BSD-3-Clause
//
// Source: C. Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI 2002, 5.1 to 5.3.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/units.hpp"
#include "policy/divide.hpp"

namespace vballoon::policy {
namespace {

constexpr std::uint64_t kBig = 64 * kGiB;

std::uint64_t sum(const std::vector<std::uint64_t>& shares) {
  return std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
}

/// What is left over where shares are rounded down to whole units of weight.
std::uint64_t grain(const std::vector<Claim>& claims) {
  std::uint64_t all = 0;
  for (const Claim& claim : claims) all += claim.weight;
  return all + claims.size();
}

std::vector<Claim> random_claims(std::mt19937_64* random) {
  std::vector<Claim> claims(1 + (*random)() % 20);
  for (Claim& claim : claims) {
    claim.least = (*random)() % kGiB;
    claim.most = claim.least + (*random)() % (8 * kGiB);
    claim.active = (*random)() % (8 * kGiB);
    claim.weight = 1 + (*random)() % 1000;
  }
  return claims;
}

TEST(Divide, OfNothingAmongNobody) {
  EXPECT_TRUE(divide(kGiB, {}).empty());
}

TEST(Divide, WithoutABudgetEverybodyHasItsLeast) {
  const std::vector<Claim> claims{{kMiB, kGiB, kGiB, 1}, {2 * kMiB, kGiB, 0, 7}};
  EXPECT_EQ(divide(0, claims), (std::vector<std::uint64_t>{kMiB, 2 * kMiB}));
  EXPECT_EQ(divide(2 * kMiB, claims), (std::vector<std::uint64_t>{kMiB, 2 * kMiB}));
}

TEST(Divide, WithMoreThanEnoughEverybodyHasItsMost) {
  const std::vector<Claim> claims{{0, kGiB, 0, 1}, {0, 3 * kGiB, kBig, 100}};
  EXPECT_EQ(divide(4 * kGiB, claims), (std::vector<std::uint64_t>{kGiB, 3 * kGiB}));
  EXPECT_EQ(divide(UINT64_MAX, claims), (std::vector<std::uint64_t>{kGiB, 3 * kGiB}));
}

TEST(Divide, GoesByWeight) {
  const std::vector<Claim> claims{{0, kBig, kBig, 100}, {0, kBig, kBig, 300}};
  const auto shares = divide(4 * kGiB, claims);
  EXPECT_NEAR(static_cast<double>(shares[0]), static_cast<double>(kGiB), 400);
  EXPECT_NEAR(static_cast<double>(shares[1]), 3.0 * static_cast<double>(kGiB), 400);
}

TEST(Divide, IdleMemoryCostsFourTimesAsMuch) {
  const std::vector<Claim> claims{{0, kBig, kBig, 100}, {0, kBig, 0, 100}};
  const auto shares = divide(5 * kGiB, claims);
  EXPECT_NEAR(static_cast<double>(shares[0]), 4.0 * static_cast<double>(kGiB), 1000);
  EXPECT_NEAR(static_cast<double>(shares[1]), static_cast<double>(kGiB), 1000);
}

TEST(Divide, ALeastIsTakenFromTheOthers) {
  const std::vector<Claim> claims{{3 * kGiB, kBig, 0, 1}, {0, kBig, kBig, 100}};
  const auto shares = divide(4 * kGiB, claims);
  EXPECT_EQ(shares[0], 3 * kGiB);
  EXPECT_NEAR(static_cast<double>(shares[1]), static_cast<double>(kGiB), 1000);
}

TEST(Divide, WhatOneMayNotHaveTheOthersGet) {
  const std::vector<Claim> claims{{0, kGiB, kBig, 1000}, {0, kBig, kBig, 1}};
  const auto shares = divide(4 * kGiB, claims);
  EXPECT_EQ(shares[0], kGiB);
  EXPECT_NEAR(static_cast<double>(shares[1]), 3.0 * static_cast<double>(kGiB), 2000);
}

TEST(Divide, ExtremeWeightsAndSizesDoNotOverflow) {
  const std::vector<Claim> largest{{0, UINT64_MAX, UINT64_MAX, 10'000},
                                   {0, std::uint64_t{1} << 50, 0, 10'000}};
  const auto shares = divide(5 * kGiB, largest);
  EXPECT_NEAR(static_cast<double>(shares[0]), 4.0 * static_cast<double>(kGiB), 20'000);
  EXPECT_NEAR(static_cast<double>(shares[1]), static_cast<double>(kGiB), 20'000);
  EXPECT_LE(sum(shares), 5 * kGiB);

  const std::vector<Claim> heaviest{{0, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
  EXPECT_EQ(divide(UINT64_MAX, heaviest), std::vector<std::uint64_t>{UINT64_MAX});
}

TEST(Divide, SpendsTheBudgetAndNoMore) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    const auto claims = random_claims(&random);
    const std::uint64_t budget = random() % (100 * kGiB);
    std::uint64_t least = 0, most = 0;
    for (const Claim& claim : claims) {
      least += claim.least;
      most += claim.most;
    }
    const auto shares = divide(budget, claims);
    for (std::size_t i = 0; i < claims.size(); ++i) {
      EXPECT_GE(shares[i], claims[i].least) << round;
      EXPECT_LE(shares[i], claims[i].most) << round;
    }
    EXPECT_LE(sum(shares), std::max(budget, least)) << round;
    EXPECT_GE(sum(shares) + grain(claims), std::min(budget, most)) << round;
  }
}

TEST(Divide, TheOrderDoesNotMatter) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    const auto claims = random_claims(&random);
    const std::uint64_t budget = random() % (100 * kGiB);
    std::vector<std::size_t> order(claims.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    std::vector<Claim> other;
    for (const std::size_t i : order) other.push_back(claims[i]);
    const auto shares = divide(budget, claims);
    const auto others = divide(budget, other);
    for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(others[i], shares[order[i]]);
  }
}

TEST(Divide, AskingForMoreTakesFromNobodysLeast) {
  const Claim honest{512 * kMiB, 2 * kGiB, kGiB, 100};
  const Claim greedy{512 * kMiB, UINT64_MAX, UINT64_MAX, 100};
  const auto shares = divide(kGiB + 256 * kMiB, std::vector<Claim>{honest, greedy});
  EXPECT_GE(shares[0], honest.least);
  EXPECT_EQ(shares[0], shares[1]);  // both are active to the end, and of one weight
}

}  // namespace
}  // namespace vballoon::policy
