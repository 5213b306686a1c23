// SPDX-License-Identifier: BSD-3-Clause
//
// micro/layers.cpp - the steps of the pipeline one by one: decode, ledger, window, ring, and one
// hole. The counter per_page is seconds a page (per_call, per_buffer where it says so).
#include <benchmark/benchmark.h>

#include <array>

#include "datapath/pfn_decoder.hpp"
#include "reclaim/ledger.hpp"
#include "reclaim/window.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = kGiB;

void count(benchmark::State& state, const char* name, std::size_t each) {
  state.counters[name] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(each),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void decode(benchmark::State& state) {
  pin(kOurCpu);
  std::array<std::byte, Vm::kPagesPerBuffer * sizeof(std::uint32_t)> bytes{};
  std::array<Pfn, Vm::kPagesPerBuffer + 1> pfns;
  datapath::PfnDecoder decoder;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.decode(bytes, pfns));
    benchmark::DoNotOptimize(decoder.finish());
    benchmark::ClobberMemory();
  }
  count(state, "per_page", Vm::kPagesPerBuffer);
}
BENCHMARK(decode)->Name("micro.decode_ns_per_page");

/// Memory, its blocks, and every page of it in some order, one by one.
struct Pages {
  explicit Pages(driver::PageOrder order)
      : ram(or_give_up(MemoryFile::create(Kind::kSmall, kBytes))),
        blocks(map(ram)),
        pfns(pages_in(order, ram)) {}

  static std::shared_ptr<const gmem::GuestMemory> map(const MemoryFile& file) {
    const gmem::RegionSpec spec{to_gpa(Vm::pfn(0)), file.bytes(), file.data(), file.fd(), 0};
    return or_give_up(gmem::GuestMemory::create({&spec, 1}));
  }
  [[nodiscard]] reclaim::Part part(Pfn pfn) const {
    return blocks.first_part(reclaim::PageRun{pfn.value, 1});
  }

  MemoryFile ram;
  reclaim::BlockMap blocks;
  std::vector<Pfn> pfns;
};

void ledger(benchmark::State& state, driver::PageOrder order) {
  pin(kOurCpu);
  const Pages pages(order);
  reclaim::Ledger ledger(pages.blocks);
  for (auto _ : state) {
    for (const Pfn pfn : pages.pfns) ledger.insert(pages.part(pfn));
    for (const Pfn pfn : pages.pfns) ledger.erase(pages.part(pfn));
  }
  count(state, "per_page", 2 * pages.pfns.size());
}
BENCHMARK_CAPTURE(ledger, ascending, kAscending)->Name("micro.ledger_ns_per_page.ascending");
BENCHMARK_CAPTURE(ledger, random, kRandom)->Name("micro.ledger_ns_per_page.random");

/// In one by one, out in runs.
void window(benchmark::State& state, driver::PageOrder order) {
  pin(kOurCpu);
  const Pages pages(order);
  reclaim::Window window(pages.blocks, {});
  for (auto _ : state) {
    for (const Pfn pfn : pages.pfns) window.add(pages.part(pfn), false, 0);
    window.release_all();
    while (window.take()) continue;
  }
  count(state, "per_page", pages.pfns.size());
}
BENCHMARK_CAPTURE(window, ascending, kAscending)->Name("micro.merge_ns_per_page.ascending");
BENCHMARK_CAPTURE(window, random, kRandom)->Name("micro.merge_ns_per_page.random");

/// A buffer without pages: what the ring and the pass cost, whatever is in the buffers.
void ring_pass(benchmark::State& state) {
  pin(kOurCpu);
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, 2 * kMiB));
  Vm vm(ram, {}, Ack::kEarly);
  for (auto _ : state) {
    vm.send({});
    benchmark::DoNotOptimize(vm.path().poll());
  }
  count(state, "per_buffer", 1);
}
BENCHMARK(ring_pass)->Name("micro.ring_pass_ns_per_buffer");

/// Holes of one size over memory that nobody maps.
void hole(benchmark::State& state) {
  pin(kOurCpu);
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, 64 * kMiB));
  const auto piece = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    ram.populate();
    state.ResumeTiming();
    for (std::uint64_t at = 0; at < ram.bytes(); at += piece) ram.punch(at, piece);
  }
  count(state, "per_page", ram.pages());
}
BENCHMARK(hole)
    ->Name("micro.discard_ns_per_page")
    ->Arg(4 * kKiB)
    ->Arg(64 * kKiB)
    ->Arg(kMiB)
    ->Arg(2 * kMiB)
    ->Arg(64 * kMiB);

}  // namespace
}  // namespace vballoon::perf
