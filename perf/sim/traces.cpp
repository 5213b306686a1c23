// SPDX-License-Identifier: BSD-3-Clause
#include "sim/traces.hpp"

#include <functional>

namespace vballoon::sim {
namespace {

using Make = std::function<void(std::size_t number, std::size_t of, GuestHabits* habits)>;

Time part(Time whole, std::size_t number, std::size_t of) {
  return Time(whole.count() * static_cast<Time::rep>(number) / static_cast<Time::rep>(of));
}

/// @param each  what the host has for each guest. A twentieth of it all is its reserve.
Trace trace(const std::string& name, std::size_t count, std::uint64_t each, const Make& make) {
  Trace made;
  made.name = name;
  made.host.total = count * each;
  made.host.reserve = made.host.total / 20;
  made.host.others = steady(made.host.total / 40);
  for (std::size_t i = 0; i < count; ++i) {
    GuestHabits habits;
    habits.name = "vm" + std::to_string(i);
    make(i, count, &habits);
    made.guests.push_back(std::move(habits));
  }
  return made;
}

/// Wavers by a percent, as every guest does.
Demand alive(Demand demand, std::size_t number) {
  return noisy(std::move(demand), 8 * kMiB, number);
}

void idle(std::size_t number, std::size_t, GuestHabits* habits) {
  habits->demand = alive(steady(256 * kMiB), number);
}

void grows(std::size_t number, std::size_t of, GuestHabits* habits) {
  const std::uint64_t to = (number % 2 == 0 ? 300 : 1400) * kMiB;
  habits->demand = ramp(128 * kMiB, to, part(Time(240'000), number, of), Time(60'000));
}

void bursts(std::size_t number, std::size_t of, GuestHabits* habits) {
  const Time period(120'000);
  habits->demand = burst(200 * kMiB, 1400 * kMiB, period, period / 5, part(period, number, of));
}

/// One in eight reads files all the time, more than fit; the others are steady.
void thrashes(std::size_t number, std::size_t, GuestHabits* habits) {
  habits->demand = alive(steady(600 * kMiB), number);
  if (number % 8 == 0) habits->hot_files = 1500 * kMiB;
}

void days(std::size_t number, std::size_t of, GuestHabits* habits) {
  const Time day(300'000);
  habits->demand = alive(diurnal(200 * kMiB, 1400 * kMiB, day, part(day, number, of)), number);
}

/// More than there is for all: the second half of them weighs twice as much.
void overcommitted(std::size_t number, std::size_t of, GuestHabits* habits) {
  habits->demand = alive(steady(1300 * kMiB), number);
  habits->limits.weight = number < of / 2 ? 100 : 200;
}

void late(std::size_t number, std::size_t of, GuestHabits* habits) {
  days(number, of, habits);
  habits->answer_delay = Time(4000);
  habits->balloon_rate = 64 * kMiB;
}

/// Every second one does something else that it should not.
void faulty(std::size_t number, std::size_t of, GuestHabits* habits) {
  days(number, of, habits);
  if (number % 2 == 1) habits->fault = static_cast<Fault>(1 + number / 2 % 8);
}

/// The founding mail's: one goes down from 1024 MiB, the other up to it and starts a phase later.
Trace seed() {
  Trace made = trace("seed", 2, kGiB, [](std::size_t number, std::size_t, GuestHabits* habits) {
    habits->memory = 1300 * kMiB;
    habits->files = 64 * kMiB;
    habits->demand = [number](Time now) -> std::uint64_t {
      const auto phase = now.count() / 60'000 - 1 - static_cast<Time::rep>(number);
      if (phase < 0 || phase > 4) return 16 * kMiB;
      const auto step = static_cast<std::uint64_t>(number == 0 ? phase : 4 - phase);
      return (1024 - 200 * step) * kMiB;
    };
  });
  made.host.others = steady(256 * kMiB);
  made.length = Time(480'000);
  made.drawn = true;
  return made;
}

}  // namespace

std::vector<Trace> all_traces() {
  constexpr std::uint64_t kEach = 1216 * kMiB;
  std::vector<Trace> all{seed()};
  all.push_back(trace("idle", 8, kEach, idle));
  all.push_back(trace("ramp", 8, kEach, grows));
  all.push_back(trace("burst", 8, kEach, bursts));
  all.back().drawn = true;
  all.push_back(trace("thrash", 8, kEach, thrashes));
  all.push_back(trace("diurnal", 8, kEach, days));
  all.back().drawn = true;
  all.push_back(trace("short", 8, kEach, overcommitted));
  all.back().drawn = true;
  all.push_back(trace("late", 8, kEach, late));
  all.push_back(trace("faulty", 16, kEach, faulty));
  all.push_back(trace("burst", 100, kEach, bursts));
  all.push_back(trace("diurnal", 100, kEach, days));
  all.push_back(trace("diurnal", 1000, kEach, days));
  return all;
}

}  // namespace vballoon::sim
