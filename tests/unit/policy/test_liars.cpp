// SPDX-License-Identifier: BSD-3-Clause
//
// Guests that lie, or do not do as they are told, among others, in virtual time: what they gain.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "policy/balance_law.hpp"
#include "sim/host.hpp"

namespace vballoon::sim {
namespace {

/// A host that has not enough for all, with one guest of interest among guests of its weight.
std::unique_ptr<Host> crowd(policy::Law* law, const GuestHabits& special) {
  std::vector<GuestHabits> guests(6);
  for (std::size_t i = 0; i < guests.size(); ++i) {
    guests[i].name = "vm" + std::to_string(i);
    guests[i].demand = steady(900 * kMiB);
    guests[i].limits.floor = 700 * kMiB;
  }
  guests[0].fault = special.fault;
  guests[0].demand = special.demand;
  return std::make_unique<Host>(HostHabits{7 * kGiB, 512 * kMiB}, guests, law);
}

TEST(Balance, ALiarGainsNothing) {
  policy::BalanceLaw fair_law;
  GuestHabits busy;
  busy.demand = steady(3 * kGiB);
  const auto fair = crowd(&fair_law, busy);
  fair->run(Time(300'000));
  for (const Fault lie : {Fault::kClaimsNone, Fault::kCriesPressure, Fault::kRunsBackwards}) {
    SCOPED_TRACE(static_cast<int>(lie));
    policy::BalanceLaw law;
    GuestHabits liar;
    liar.demand = steady(600 * kMiB);
    liar.fault = lie;
    const auto host = crowd(&law, liar);
    host->run(Time(300'000));
    EXPECT_LE(host->guests()[0].plugged(), fair->guests()[0].plugged() + 64 * kMiB);
    for (const Guest& guest : host->guests()) EXPECT_GE(guest.plugged(), 700 * kMiB);
    // All together want more than there is: most of the reserve is in use, and no more than that.
    EXPECT_GE(host->available() + 16 * kMiB, host->habits().reserve / 4);
  }
}

/// A figure that cannot be is as good as none: nothing is taken for it, and nothing given.
TEST(Balance, ALiarWhoseFiguresCannotBeIsAsOneThatIsSilent) {
  policy::BalanceLaw law, other;
  GuestHabits liar, silent;
  liar.demand = silent.demand = steady(600 * kMiB);
  liar.fault = Fault::kClaimsFree;
  silent.fault = Fault::kSilent;
  const auto host = crowd(&law, liar);
  const auto beside = crowd(&other, silent);
  host->run(Time(300'000));
  beside->run(Time(300'000));
  for (std::size_t i = 0; i < host->guests().size(); ++i) {
    EXPECT_EQ(host->guests()[i].plugged(), beside->guests()[i].plugged()) << i;
  }
}

/// Nor does it by being there first: the others want more later, and it holds what there is.
TEST(Balance, ALiarKeepsNoMoreThanTheOthersGet) {
  std::vector<GuestHabits> guests(6);
  for (std::size_t i = 0; i < guests.size(); ++i) {
    guests[i].name = "vm" + std::to_string(i);
    guests[i].demand = ramp(100 * kMiB, 1400 * kMiB, Time(60'000), Time(60'000));
  }
  guests[0].demand = steady(100 * kMiB);
  guests[0].fault = Fault::kClaimsNone;
  policy::BalanceLaw law;
  Host host({7 * kGiB, 512 * kMiB}, guests, &law);
  host.run(Time(400'000));
  ASSERT_EQ(host.guests().size(), 6U);
  EXPECT_GE(host.guests()[0].plugged(), 100 * kMiB) << "what it needs";
  for (const Guest& guest : host.guests()) {
    EXPECT_LE(host.guests()[0].plugged(), guest.plugged() + guest.plugged() / 8);
  }
}

/// What a driver keeps that was told to give costs the host no reserve in the end.
TEST(Balance, ADriverThatGivesNothingIsNotCountedOn) {
  for (const Fault fault : {Fault::kStalls, Fault::kDithers, Fault::kClaimsDone, Fault::kSilent}) {
    SCOPED_TRACE(static_cast<int>(fault));
    policy::BalanceLaw law;
    std::vector<GuestHabits> guests(5);
    for (std::size_t i = 0; i < guests.size(); ++i) {
      guests[i].name = "vm" + std::to_string(i);
      guests[i].files = 2 * kGiB;
      guests[i].read_rate = 100 * kMiB;
    }
    guests[0].fault = fault;
    Host host({6 * kGiB, 512 * kMiB}, guests, &law);
    host.run(Time(120'000));
    EXPECT_GE(host.available(), host.habits().reserve);
    const std::uint64_t moves = host.counters().moves;
    host.run(Time(240'000));
    EXPECT_GE(host.available(), host.habits().reserve);
    EXPECT_LE(host.counters().moves, moves + 20);
    EXPECT_EQ(host.counters().swapped_out, 0U);
  }
}

}  // namespace
}  // namespace vballoon::sim
