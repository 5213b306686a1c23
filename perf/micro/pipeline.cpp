// SPDX-License-Identifier: BSD-3-Clause
//
// micro/pipeline.cpp - a stream of buffers through ring, decoder, ledger and window: everything but
// the system call. One iteration is a whole GiB; the counter per_page is seconds a page.
#include <benchmark/benchmark.h>

#include "reclaim/discarder.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = kGiB;

class NoDiscarder final : public reclaim::Discarder {
 public:
  [[nodiscard]] bool discard(int, std::uint64_t, std::uint64_t) noexcept override { return true; }
};

void stream(benchmark::State& state, driver::PageOrder order, reclaim::ReclaimLimits limits) {
  pin(kOurCpu);
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, kBytes));
  const std::vector<Pfn> pages = pages_in(order, ram);
  NoDiscarder nothing;
  reclaim::InlineSink sink(nothing);
  Vm vm(ram, limits, Ack::kEarly);
  vm.path().set_sink(sink);
  for (auto _ : state) {
    stream_through(vm, pages);
    state.PauseTiming();
    vm.reset();
    state.ResumeTiming();
  }
  state.counters["per_page"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(pages.size()),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// Nothing is let out for its age: what a stream costs must not depend on how fast the machine is.
constexpr reclaim::ReclaimLimits kPatient{
    .ages = {.longest_us = 3'600'000'000, .long_runs_us = 3'600'000'000},
    .window_pages = kBytes / kPageSize};

}  // namespace

BENCHMARK_CAPTURE(stream, ascending, kAscending, kPatient)->Name("pipeline.ns_per_page.ascending");
BENCHMARK_CAPTURE(stream, descending, kDescending, kPatient)
    ->Name("pipeline.ns_per_page.descending");
BENCHMARK_CAPTURE(stream, runs16, kRuns16, kPatient)->Name("pipeline.ns_per_page.runs16");
BENCHMARK_CAPTURE(stream, random, kRandom, kPatient)->Name("pipeline.ns_per_page.random");

}  // namespace vballoon::perf
