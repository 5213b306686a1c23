// SPDX-License-Identifier: BSD-3-Clause
//
// What the law balance holds to on any host: tried on random ones, in virtual time. A seed that
// fails is in the trace of the failure; VBALLOON_SEED tries that one alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "policy/balance_law.hpp"
#include "policy/pressure_law.hpp"
#include "sim/host.hpp"

namespace vballoon::sim {
namespace {

using policy::Decision;
using policy::Observation;

constexpr unsigned kSeeds = 25;

/// Runs a property for each seed.
template <typename Property>
void for_each_seed(Property property) {
  const char* wanted = std::getenv("VBALLOON_SEED");
  const unsigned first = wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 1;
  for (unsigned seed = first; seed < first + (wanted != nullptr ? 1 : kSeeds); ++seed) {
    SCOPED_TRACE("VBALLOON_SEED=" + std::to_string(seed));
    property(seed);
    if (testing::Test::HasFailure()) return;
  }
}

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + random_() % (high - low + 1);
  }
  std::uint64_t mib(std::uint64_t low, std::uint64_t high) { return between(low, high) * kMiB; }
  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  std::mt19937_64& generator() { return random_; }

 private:
  std::mt19937_64 random_;
};

GuestHabits random_guest(Chance* chance, std::size_t number) {
  GuestHabits habits;
  habits.name = "vm" + std::to_string(number);
  habits.memory = chance->mib(512, 4096);
  habits.demand = steady(chance->between(0, habits.memory * 7 / 10));
  habits.files = chance->mib(0, 4096);
  habits.read_rate = chance->mib(16, 64);
  habits.swap = chance->one_in(3) ? 0 : chance->mib(256, 2048);
  habits.balloon_rate = chance->mib(64, 2048);
  habits.answer_delay = Time(static_cast<int>(chance->between(1, 3000)));
  habits.limits.weight = chance->between(1, 400);
  if (chance->one_in(3)) habits.limits.floor = habits.memory / 4;
  return habits;
}

std::vector<GuestHabits> random_guests(Chance* chance, std::size_t most = 12) {
  std::vector<GuestHabits> guests;
  const std::size_t count = chance->between(1, most);
  for (std::size_t i = 0; i < count; ++i) guests.push_back(random_guest(chance, i));
  return guests;
}

Demand random_demand(Chance* chance, std::uint64_t memory) {
  const std::uint64_t low = memory / 10, high = chance->between(memory / 4, memory * 9 / 10);
  const Time period(static_cast<int>(chance->between(20'000, 300'000)));
  switch (chance->between(0, 3)) {
    case 0:
      return ramp(low, high, period / 4, period);
    case 1:
      return burst(low, high, period, period / 3, Time(0));
    case 2:
      return diurnal(low, high, period, period / 5);
    default:
      return noisy(steady(high), memory / 50, chance->between(0, 1000));
  }
}

/// With so much memory that all programs fit, times `percent`.
HostHabits host_for(const std::vector<GuestHabits>& guests, std::uint64_t percent) {
  HostHabits habits;
  habits.total = kGiB;
  for (const GuestHabits& guest : guests) {
    habits.total += (guest.kernel + guest.demand(Time(1000))) * percent / 100;
  }
  habits.reserve = habits.total / 20;
  return habits;
}

void expect_limits(const Observation& seen, const std::vector<Decision>& decisions) {
  ASSERT_EQ(decisions.size(), seen.vms.size());
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const policy::VmObservation& vm = seen.vms[i];
    ASSERT_LE(decisions[i].target + policy::floor_of(vm), vm.guest) << rule_name(decisions[i].rule);
  }
}

TEST(Balance, NobodyIsEverBelowItsFloor) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (GuestHabits& guest : guests) {
      guest.demand = random_demand(&chance, guest.memory);
      guest.fault = static_cast<Fault>(chance.between(0, 8));
    }
    HostHabits habits = host_for(guests, chance.between(10, 150));
    habits.others = random_demand(&chance, habits.total);
    habits.clock_jumps = chance.one_in(2);
    policy::BalanceLaw law;
    Host host(habits, guests, &law);
    host.watch(expect_limits);
    host.run(Time(400'000));
  });
}

TEST(Pressure, NobodyIsEverBelowItsFloor) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (GuestHabits& guest : guests) {
      guest.demand = random_demand(&chance, guest.memory);
      guest.fault = static_cast<Fault>(chance.between(0, 8));
    }
    HostHabits habits = host_for(guests, 60);
    habits.clock_jumps = true;
    policy::PressureLaw law{{}};
    Host host(habits, guests, &law);
    host.watch(expect_limits);
    host.run(Time(400'000));
  });
}

/// Whatever the size of its pages. That its targets are whole ones is a part of it.
TEST(Balance, ADriverThatFollowsIsNeverStalled) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (GuestHabits& guest : guests) {
      guest.demand = random_demand(&chance, guest.memory);
      guest.page = (chance.one_in(2) ? 16 : 64) * kKiB;
      guest.balloon_rate = kGiB;
      guest.swap = 4 * kGiB;
    }
    HostHabits habits = host_for(guests, chance.between(60, 150));
    policy::BalanceLaw law;
    Host host(habits, guests, &law);
    host.watch([](const Observation& seen, const std::vector<Decision>& decisions) {
      for (std::size_t i = 0; i < decisions.size(); ++i) {
        ASSERT_NE(rule_name(decisions[i].rule), "stalled") << seen.vms[i].name;
        if (decisions[i].target != seen.vms[i].target) {
          ASSERT_EQ(decisions[i].target % (64 * kKiB), 0U) << seen.vms[i].name;
        }
      }
    });
    host.run(Time(400'000));
  });
}

/// Steady input, memory for all, plenty or scarce: after five minutes nothing moves any more.
TEST(Balance, ComesToRest) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    const auto guests = random_guests(&chance);
    HostHabits habits = host_for(guests, chance.between(110, 200));
    habits.notes_balloon = chance.one_in(2);
    habits.tick = Time(chance.one_in(3) ? 5000 : 1000);
    policy::BalanceLaw law;
    Host host(habits, guests, &law);
    host.run(Time(300'000));
    const std::uint64_t moves = host.counters().moves;
    host.run(Time(300'000));
    EXPECT_EQ(host.counters().moves, moves);
    EXPECT_LE(moves, 60 * guests.size());
    EXPECT_LE(host.counters().reversals, 2 * guests.size());
  });
}

/// A waver of a percent moves nobody to and fro.
TEST(Balance, DoesNotFollowNoise) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (std::size_t i = 0; i < guests.size(); ++i) {
      guests[i].demand = noisy(guests[i].demand, guests[i].memory / 200, i);
    }
    policy::BalanceLaw law;
    Host host(host_for(guests, 150), guests, &law);
    host.run(Time(300'000));
    const std::uint64_t moves = host.counters().moves;
    const std::uint64_t reversals = host.counters().reversals;
    host.run(Time(300'000));
    EXPECT_LE(host.counters().moves, moves + 6 * guests.size());
    EXPECT_LE(host.counters().reversals, reversals + guests.size());
  });
}

/// Where there is enough for all, all have what they need and the host its reserve.
TEST(Balance, SharesOutWhatThereIs) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (GuestHabits& guest : guests) guest.balloon_rate = 256 * kMiB;
    policy::BalanceLaw law;
    Host host(host_for(guests, 150), guests, &law);
    host.run(Time(120'000));
    EXPECT_GE(host.available(), host.habits().reserve);
    EXPECT_LE(host.counters().swapped_out, host.habits().total / 5);
    const std::uint64_t below = host.guests().front().counters().below_need_ms;
    host.run(Time(120'000));
    EXPECT_GE(host.available(), host.habits().reserve);
    for (const Guest& guest : host.guests()) {
      EXPECT_GE(guest.anon() + guest.habits().kernel + kMiB, guest.wanted()) << guest.habits().name;
    }
    EXPECT_EQ(host.guests().front().counters().below_need_ms, below);
  });
}

/// The host needs a part of its memory for something else. Guests have it to spare.
TEST(Balance, TheReserveComesBackWithinHalfAMinute) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (GuestHabits& guest : guests) guest.balloon_rate = 256 * kMiB;
    HostHabits habits = host_for(guests, 200);
    std::uint64_t needed = 0;
    for (const GuestHabits& guest : guests) needed += guest.kernel + guest.demand(Time(0));
    const std::uint64_t spare = habits.total - habits.reserve - needed * 3 / 2;
    habits.others = ramp(0, std::min(spare, habits.total / 8), Time(200'000), Time(1));
    policy::BalanceLaw law;
    Host host(habits, guests, &law);
    host.run(Time(230'000));
    EXPECT_GE(host.available(), habits.reserve);
  });
}

TEST(Balance, ABurstIsServedAtOnce) {
  std::vector<GuestHabits> guests(4);
  for (std::size_t i = 0; i < guests.size(); ++i) guests[i].name = "vm" + std::to_string(i);
  guests[0].demand = ramp(128 * kMiB, 1400 * kMiB, Time(300'000), Time(10'000));
  policy::BalanceLaw law;
  Host host({5 * kGiB, 512 * kMiB}, guests, &law);
  host.run(Time(400'000));
  EXPECT_EQ(host.counters().swapped_out, 0U);
  EXPECT_LE(host.guests()[0].counters().below_need_ms, 3000U);
  EXPECT_LE(host.guests()[0].counters().swapped_out, 128 * kMiB);
}

/// Two laws see the same, in another order each turn; the names decide.
TEST(Balance, TheOrderOfVmsDoesNotMatter) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    auto guests = random_guests(&chance);
    for (GuestHabits& guest : guests) guest.demand = random_demand(&chance, guest.memory);
    policy::BalanceLaw law, other;
    Host host(host_for(guests, chance.between(60, 150)), guests, &law);
    std::size_t compared = 0;
    host.watch([&](const Observation& seen, const std::vector<Decision>& decisions) {
      compared += decisions.size();
      Observation shuffled = seen;
      std::shuffle(shuffled.vms.begin(), shuffled.vms.end(), chance.generator());
      std::map<std::string, Decision> found;
      const std::vector<Decision> others = other.decide(shuffled);
      for (std::size_t i = 0; i < others.size(); ++i) found[shuffled.vms[i].name] = others[i];
      for (std::size_t i = 0; i < decisions.size(); ++i) {
        const std::string& name = seen.vms[i].name;
        ASSERT_EQ(found.at(name).target, decisions[i].target) << name;
        ASSERT_EQ(found.at(name).rule, decisions[i].rule) << name;
      }
    });
    host.run(Time(120'000));
    EXPECT_GE(compared, 100 * guests.size());
  });
}

TEST(Balance, OfOneThatIsGoneOrSilentNothingMoreIsTaken) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    const auto guests = random_guests(&chance);
    policy::BalanceLaw law;
    Host host(host_for(guests, 80), guests, &law);
    host.run(Time(60'000));
    Observation seen = host.observe();
    for (int turn = 0; turn < 60; ++turn) {
      seen.now += Time(1000);
      seen.host_pressure = 5;
      seen.pools[0].available = 0;
      for (std::size_t i = 0; i < seen.vms.size(); ++i) {
        if (i % 3 == 0) seen.vms[i].running = false;
        if (i % 3 == 1) seen.vms[i].sample.reset();
        if (i % 3 == 2 && seen.vms[i].sample) seen.vms[i].sample->age = Time(60'000);
      }
      const auto decisions = law.decide(seen);
      for (std::size_t i = 0; i < seen.vms.size(); ++i) {
        ASSERT_LE(decisions[i].target, seen.vms[i].target) << rule_name(decisions[i].rule);
        seen.vms[i].target = seen.vms[i].actual = decisions[i].target;
      }
    }
  });
}

TEST(Balance, AClockThatJumpsMovesNobodyMuch) {
  for_each_seed([](unsigned seed) {
    Chance chance(seed);
    const auto guests = random_guests(&chance);
    HostHabits habits = host_for(guests, 150);
    habits.clock_jumps = true;  // at 200 s and at 300 s
    policy::BalanceLaw law;
    Host host(habits, guests, &law);
    host.run(Time(190'000));
    const std::uint64_t moves = host.counters().moves;
    host.run(Time(210'000));
    EXPECT_LE(host.counters().moves, moves + 4 * guests.size());
    EXPECT_GE(host.available() + 16 * kMiB, habits.reserve);
  });
}

TEST(Balance, AThousandVms) {
  Chance chance(1);
  std::vector<GuestHabits> guests;
  for (std::size_t i = 0; i < 1000; ++i) guests.push_back(random_guest(&chance, i));
  policy::BalanceLaw law;
  Host host(host_for(guests, 140), guests, &law);
  host.watch(expect_limits);
  host.run(Time(120'000));
  const std::uint64_t moves = host.counters().moves;
  host.run(Time(30'000));
  EXPECT_GE(host.available(), host.habits().reserve);
  EXPECT_LE(host.counters().moves, moves + 100);
}

}  // namespace
}  // namespace vballoon::sim
