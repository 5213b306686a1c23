// SPDX-License-Identifier: BSD-3-Clause
//
// micro/large.cpp - pages of 2 MiB enter the balloon, are gathered and handed over, as the device
// of large pages has them: everything but rings, messages and the system call.
#include <benchmark/benchmark.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "reclaim/batch.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/reclaimer.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

using reclaim::PageRun;

constexpr std::uint64_t kPage = 2 * kMiB;
constexpr std::uint64_t kPages = 1024;
/// Pages of one message, as perf/e2e/large.cpp sends them.
constexpr std::uint64_t kAtOnce = 256;

class NoDiscarder final : public reclaim::Discarder {
 public:
  [[nodiscard]] bool discard(int, std::uint64_t, std::uint64_t) noexcept override { return true; }
};

PageRun page(std::uint64_t n) {
  return {bytes_to_pages(kPage) * (1 + n), bytes_to_pages(kPage)};
}

/// Of hugetlbfs, of which no page is ever touched.
std::shared_ptr<const gmem::GuestMemory> memory_of(int file) {
  static std::byte nowhere{};
  const gmem::RegionSpec spec{Gpa{kPage}, kPages * kPage, &nowhere, file, 0};
  return or_give_up(gmem::GuestMemory::create({&spec, 1}));
}

void enter(benchmark::State& state, reclaim::PageShifts sizes) {
  pin(kOurCpu);
  const UniqueFd file(::memfd_create("large", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
  if (::ftruncate(file.get(), kPages * kPage) != 0) give_up("no file of hugetlbfs");
  NoDiscarder nothing;
  reclaim::InlineSink sink(nothing);
  reclaim::ReclaimLimits limits;
  limits.sizes = sizes;
  reclaim::Reclaimer reclaimer(limits);
  reclaimer.set_memory(memory_of(file.get()));
  reclaimer.handover().set_sink(sink);
  reclaim::Gather& gather = reclaimer.gather();
  gather.set_tells_host(true);
  const unsigned kind = *sizes.find(21);
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < kPages; ++i) {
      benchmark::DoNotOptimize(gather.enter(page(i), kind, 0));
      if (i % kAtOnce == kAtOnce - 1) reclaimer.pump(0, true);
    }
    while (!reclaimer.drained()) reclaimer.pump(0, true);
    state.PauseTiming();
    for (std::uint64_t i = 0; i < kPages; ++i) gather.leave(page(i), kind);
    state.ResumeTiming();
  }
  state.counters["per_page"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kPages,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(enter, one_size, reclaim::PageShifts{{21}, 1})
    ->Name("micro.large_ns_per_page.one_size");
BENCHMARK_CAPTURE(enter, two_sizes, reclaim::PageShifts{{12, 21}, 2})
    ->Name("micro.large_ns_per_page.two_sizes");

}  // namespace
}  // namespace vballoon::perf
