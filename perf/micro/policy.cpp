// SPDX-License-Identifier: BSD-3-Clause
//
// micro/policy.cpp - what one turn of a law costs the control thread. The counter per_turn is
// seconds a turn.
#include <benchmark/benchmark.h>

#include <vector>

#include "policy/balance_law.hpp"
#include "policy/pressure_law.hpp"
#include "sim/host.hpp"
#include "support/cpu.hpp"

namespace vballoon::perf {
namespace {

/// A minute of a host that has not quite enough, a turn each second.
std::vector<policy::Observation> minute(std::size_t vms) {
  std::vector<sim::GuestHabits> guests(vms);
  for (std::size_t i = 0; i < vms; ++i) {
    guests[i].name = "vm" + std::to_string(i);
    guests[i].demand = sim::noisy(
        sim::diurnal(200 * kMiB, 1200 * kMiB, sim::Time(30'000), sim::Time(100 * (i % 300))),
        16 * kMiB, i);
  }
  policy::BalanceLaw law;
  sim::Host host({vms * kGiB, vms * 50 * kMiB}, guests, &law);
  std::vector<policy::Observation> seen;
  host.watch([&](const policy::Observation& now, const auto&) { seen.push_back(now); });
  host.run(sim::Time(60'000));
  return seen;
}

void decide(benchmark::State& state, policy::Law& law) {
  pin(kOurCpu);
  const auto seen = minute(static_cast<std::size_t>(state.range(0)));
  std::size_t turn = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(law.decide(seen[turn]));
    turn = (turn + 1) % seen.size();
  }
  state.counters["per_turn"] =
      benchmark::Counter(static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// As under a service manager: what the law remembers lies in a book.
void decide_balance(benchmark::State& state) {
  auto book = keep::Book::make(policy::BalanceLaw::kForm).value();
  policy::BalanceLaw law(&book);
  decide(state, law);
}
BENCHMARK(decide_balance)->Name("policy.decide_us")->Arg(300)->Arg(1000);

void decide_pressure(benchmark::State& state) {
  auto book = keep::Book::make(policy::PressureLaw::kForm).value();
  policy::PressureLaw law({}, &book);
  decide(state, law);
}
BENCHMARK(decide_pressure)->Name("policy.pressure_decide_us")->Arg(300);

}  // namespace
}  // namespace vballoon::perf
