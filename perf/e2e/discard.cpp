// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/discard.cpp - from published buffers to holes in the guest's memory: order, window,
// neighbour, early and late, each beside page by page and beside one hole.
//
// Driver, data path and discards share one core, so that the other is free for the neighbour: all
// that the engine costs is in the figures.
#include <fmt/format.h>

#include "support/contest.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/neighbour.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

/// Whatever happens in the order of the pages happens again every few MiB: many short rounds.
constexpr std::uint64_t kBytes = 256 * kMiB;
/// The stream of random pages, and of what is told in interrupts a GiB.
constexpr std::uint64_t kGib = kGiB;
/// Fragments that belong together lie far apart in the stream; the default window holds it all.
constexpr std::uint64_t kLargeBytes = 2 * kGiB;

/// A window that holds all, whatever the clock says.
reclaim::ReclaimLimits full_window(const MemoryFile& ram) {
  constexpr std::uint32_t kForever = 3'600'000'000;
  return {.ages = {.longest_us = kForever, .long_runs_us = kForever}, .window_pages = ram.pages()};
}

MemoryFile memory(std::uint64_t bytes) {
  return or_give_up(MemoryFile::create(Kind::kSmall, bytes));
}

/// Nobody maps the memory.
void orders(Effort effort, Figures& figures) {
  const MemoryFile ram = memory(kBytes);
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  const std::vector<Pfn> down = pages_in(kDescending, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "unmapped");
  contest.by_page("ascending_by_page", up, 4);
  contest.engine("ascending", up);
  contest.limit();
  contest.engine("descending", down);
  contest.engine("ascending_late", up, {}, Ack::kLate);
  contest.by_page("descending_by_page", down, 4);
  contest.run(effort.many, figures);
  figures.set("discard.ascending.of_limit", contest.speedup("ascending", "limit"));
  figures.set("discard.descending.of_limit", contest.speedup("descending", "limit"));
}

void random(Effort effort, Figures& figures) {
  const MemoryFile ram = memory(kGib);
  const std::vector<Pfn> pages = pages_in(kRandom, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "random");
  contest.engine("default_window", pages);
  contest.limit();
  contest.engine("full_window", pages, full_window(ram));
  contest.by_page("by_page", pages, 8);
  contest.run(effort.rounds, figures);
  figures.set("discard.random_full_window.of_limit", contest.speedup("full_window", "limit"));
}

/// Half of what the default window holds.
void large(const MemoryFile& ram, Effort effort, Figures& figures) {
  const std::vector<Pfn> runs = pages_in(kRuns16, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "large");
  contest.engine("runs16", runs);
  contest.limit();
  contest.run(effort.rounds, figures);
  figures.set("discard.runs16.of_limit", contest.speedup("runs16", "limit"));
}

/// Shuffled runs of 16 again: without a window, and with ones that hold a part of them.
void windows(Effort effort, Figures& figures) {
  const MemoryFile ram = memory(2 * kBytes);
  const std::vector<Pfn> runs = pages_in(kRuns16, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "windows");
  contest.by_page("by_page", runs, 4);
  contest.by_buffer("by_buffer", runs);
  contest.engine("256", runs, {.ages = {}, .window_pages = 256});
  contest.limit();
  for (const unsigned window : {4096U, 32768U}) {
    contest.engine(fmt::format("{}", window), runs, {.ages = {}, .window_pages = window});
  }
  contest.engine("default", runs);
  contest.run(effort.rounds, figures);
}

/// Another process has touched the memory, and sleeps.
void mapped(const MemoryFile& ram, Neighbour& neighbour, Effort effort, Figures& figures) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Contest contest(
      ram, [&neighbour] { neighbour.touch(); }, "mapped");
  contest.by_page("ascending_by_page", up, 4);
  contest.engine("ascending", up);
  contest.limit();
  contest.run(effort.many, figures);
  figures.set("discard.ascending.vs_naive_mapped",
              contest.speedup("ascending", "ascending_by_page"));
}

/// It has touched the memory, and runs on the other core.
void touch_and_run(Neighbour& neighbour) {
  neighbour.rest();
  neighbour.touch();
  neighbour.run_busy();
}

void busy(const MemoryFile& ram, Neighbour& neighbour, Effort effort, Figures& figures) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Contest contest(
      ram, [&neighbour] { touch_and_run(neighbour); }, "busy");
  contest.by_page("ascending_by_page", up, 8);
  contest.engine("ascending", up);
  contest.limit();
  contest.run(effort.many, figures);
  figures.set("discard.ascending.vs_naive_busy", contest.speedup("ascending", "ascending_by_page"));
}

void fragmented(const MemoryFile& ram, Neighbour& neighbour, Effort effort, Figures& figures) {
  const std::vector<Pfn> pages = fragmented_pages(ram);
  Contest contest(
      ram, [&neighbour] { touch_and_run(neighbour); }, "fragmented");
  contest.limit();
  contest.engine("engine", pages);
  contest.by_buffer("by_buffer", pages, 4);
  contest.run(effort.rounds, figures);
  figures.set("discard.fragmented_live.vs_per_buffer", contest.speedup("engine", "by_buffer"));
}

/// What the neighbour's core is interrupted for, a GiB of the stock stream.
void interrupts(const MemoryFile& ram, Neighbour& neighbour, Effort effort, Figures& figures) {
  constexpr std::size_t kPart = 16;  // by page: the rest of the stream is no different
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  InlineVm window(ram, {}, Ack::kEarly);
  InlineVm buffer(ram, {}, Ack::kLate);
  const auto count = [&](const std::function<void()>& work) {
    touch_and_run(neighbour);
    const std::uint64_t before = tlb_interrupts(kOtherCpu);
    work();
    return static_cast<double>(tlb_interrupts(kOtherCpu) - before);
  };
  std::vector<double> with_window, by_buffer, by_page;
  for (unsigned round = 0; round < effort.rounds; ++round) {
    progress(fmt::format("interrupts: round {} of {}", round + 1, effort.rounds));
    window.reset();
    buffer.reset();
    with_window.push_back(count([&] { window.run(up); }));
    by_buffer.push_back(count([&] { buffer.run(up); }));
    const auto part = std::span(up).first(up.size() / kPart);
    by_page.push_back(count([&] { punch_by_page(ram, part); }) * kPart);
  }
  figures.set("neighbour.tlb_ipi_per_gib.window", median(with_window));
  figures.set("neighbour.tlb_ipi_per_gib.buffer", median(by_buffer));
  figures.set("neighbour.tlb_ipi_per_gib.by_page", median(by_page));
}

void all(Effort effort) {
  const MemoryFile ram = memory(kBytes);
  const MemoryFile gib = memory(kGib);
  const MemoryFile large_ram = memory(kLargeBytes);
  // Before any of it is used: they fork.
  Neighbour neighbour(ram);
  Neighbour gib_neighbour(gib);
  Neighbour large_neighbour(large_ram);
  pin(kOurCpu);
  Figures figures;
  orders(effort, figures);
  random(effort, figures);
  large(large_ram, effort, figures);
  windows(effort, figures);
  mapped(ram, neighbour, effort, figures);
  busy(ram, neighbour, effort, figures);
  neighbour.rest();
  interrupts(gib, gib_neighbour, effort, figures);
  gib_neighbour.rest();
  fragmented(large_ram, large_neighbour, effort, figures);
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(effort_wanted(argc, argv));
}
