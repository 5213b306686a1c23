// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/discard.cpp - from published buffers to holes in the guest's memory: order, window,
// neighbour, early and late, each beside page by page and beside one hole.
//
// Driver, data path and discards share one core, so that the other is free for the neighbour: all
// that the engine costs is in the figures.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "reclaim/discarder.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/neighbour.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = kGiB;
/// Fragments that belong together lie far apart in the stream; the default window holds it all.
constexpr std::uint64_t kLargeBytes = 2 * kGiB;

/// A window that holds all, whatever the clock says.
reclaim::ReclaimLimits full_window(const MemoryFile& ram) {
  constexpr std::uint32_t kForever = 3'600'000'000;
  return {.ages = {.longest_us = kForever, .long_runs_us = kForever}, .window_pages = ram.pages()};
}

/// The engine as the daemon has it where it has no reclaim lcores.
class Engine {
 public:
  Engine(const MemoryFile& ram, reclaim::ReclaimLimits limits, Ack ack)
      : sink_(puncher_), vm_(ram, limits, ack) {
    vm_.path().set_sink(sink_);
  }
  void run(std::span<const Pfn> pfns) { stream_through(vm_, pfns); }
  void reset() { vm_.reset(); }
  [[nodiscard]] std::uint64_t calls() const {
    return vm_.path().reclaim_counters().inflated.calls.get();
  }

 private:
  reclaim::HolePuncher puncher_;
  reclaim::InlineSink sink_;
  mutable Vm vm_;
};

/// One memory file, and the ways in which it can be given back, in turns.
class Contest {
 public:
  Contest(const MemoryFile& ram, std::function<void()> prepare, std::string prefix)
      : ram_(ram), prepare_(std::move(prepare)), prefix_(std::move(prefix)) {
    rounds_.add("limit", prepare_, [&ram] { punch_all(ram); });
  }
  void engine(const std::string& name, const std::vector<Pfn>& pages,
              reclaim::ReclaimLimits limits = {}, Ack ack = Ack::kEarly) {
    auto engine = std::make_shared<Engine>(ram_, limits, ack);
    const auto empty = [this, engine] {
      prepare_();
      engine->reset();
    };
    rounds_.add(name, empty, [this, engine, &pages] {
      engine->run(pages);
      if (ram_.allocated_bytes() != 0) give_up("the engine left memory behind");
    });
    names_.push_back(name);
  }
  void by_page(const std::string& name, const std::vector<Pfn>& pages) {
    rounds_.add(name, prepare_, [this, &pages] { punch_by_page(ram_, pages); });
    names_.push_back(name);
  }
  void by_buffer(const std::string& name, const std::vector<Pfn>& pages) {
    rounds_.add(name, prepare_, [this, &pages] { punch_by_buffer(ram_, pages); });
    names_.push_back(name);
  }
  void run(unsigned rounds, Figures& figures) {
    rounds_.run(rounds, prefix_);
    const auto pages = static_cast<double>(ram_.pages());
    figures.set(prefix_ + ".limit_ns_per_page", rounds_.ns("limit") / pages);
    for (const std::string& name : names_) {
      figures.set(fmt::format("{}.{}_ns_per_page", prefix_, name), rounds_.ns(name) / pages);
      figures.set(fmt::format("{}.{}_of_limit", prefix_, name), rounds_.ratio("limit", name));
    }
  }
  [[nodiscard]] double ratio(const std::string& above, const std::string& below) const {
    return rounds_.ratio(above, below);
  }

 private:
  const MemoryFile& ram_;
  std::function<void()> prepare_;
  std::string prefix_;
  Rounds rounds_;
  std::vector<std::string> names_;
};

/// Nobody maps the memory.
void orders(const MemoryFile& ram, unsigned rounds, Figures& figures) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  const std::vector<Pfn> down = pages_in(kDescending, ram);
  const std::vector<Pfn> random = pages_in(kRandom, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "unmapped");
  contest.engine("ascending", up);
  contest.by_page("ascending_by_page", up);
  contest.engine("ascending_late", up, {}, Ack::kLate);
  contest.engine("descending", down);
  contest.by_page("descending_by_page", down);
  contest.engine("random_full_window", random, full_window(ram));
  contest.by_page("random_by_page", random);
  contest.run(rounds, figures);
  figures.set("discard.ascending.of_limit", contest.ratio("limit", "ascending"));
  figures.set("discard.descending.of_limit", contest.ratio("limit", "descending"));
  figures.set("discard.random_full_window.of_limit", contest.ratio("limit", "random_full_window"));
}

/// Twice as much as the default window holds.
void large(const MemoryFile& ram, unsigned rounds, Figures& figures) {
  const std::vector<Pfn> runs = pages_in(kRuns16, ram);
  const std::vector<Pfn> random = pages_in(kRandom, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "large");
  contest.engine("runs16", runs);
  contest.by_page("runs16_by_page", runs);
  contest.by_buffer("runs16_by_buffer", runs);
  for (const unsigned window : {256U, 4096U, 32768U}) {
    contest.engine(fmt::format("runs16_window_{}", window), runs,
                   {.ages = {}, .window_pages = window});
  }
  contest.engine("random", random);
  contest.run(rounds, figures);
  figures.set("discard.runs16.of_limit", contest.ratio("limit", "runs16"));
}

/// Another process has touched the memory, and sleeps.
void mapped(const MemoryFile& ram, Neighbour& neighbour, unsigned rounds, Figures& figures) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Contest contest(
      ram, [&neighbour] { neighbour.touch(); }, "mapped");
  contest.engine("ascending", up);
  contest.by_page("ascending_by_page", up);
  contest.run(rounds, figures);
  figures.set("discard.ascending.vs_naive_mapped", contest.ratio("ascending_by_page", "ascending"));
}

/// It has touched the memory, and runs on the other core.
void busy(const MemoryFile& ram, Neighbour& neighbour, unsigned rounds, Figures& figures) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  const auto prepare = [&neighbour] {
    neighbour.rest();
    neighbour.touch();
    neighbour.run_busy();
  };
  Contest contest(ram, prepare, "busy");
  contest.engine("ascending", up);
  contest.by_page("ascending_by_page", up);
  contest.run(rounds, figures);
  figures.set("discard.ascending.vs_naive_busy", contest.ratio("ascending_by_page", "ascending"));
}

void fragmented(const MemoryFile& ram, Neighbour& neighbour, unsigned rounds, Figures& figures) {
  const std::vector<Pfn> pages = fragmented_pages(ram);
  const auto prepare = [&neighbour] {
    neighbour.rest();
    neighbour.touch();
    neighbour.run_busy();
  };
  Contest contest(ram, prepare, "fragmented");
  contest.engine("engine", pages);
  contest.by_buffer("by_buffer", pages);
  contest.engine("engine_full_window", pages, full_window(ram));
  contest.run(rounds, figures);
  figures.set("discard.fragmented_live.vs_per_buffer", contest.ratio("by_buffer", "engine"));
}

/// What the neighbour's core is interrupted for, a GiB of the stock stream.
void interrupts(const MemoryFile& ram, Neighbour& neighbour, unsigned rounds, Figures& figures) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Engine window(ram, {}, Ack::kEarly);
  Engine buffer(ram, {}, Ack::kLate);
  const auto count = [&](const std::function<void()>& work) {
    neighbour.rest();
    neighbour.touch();
    neighbour.run_busy();
    const std::uint64_t before = tlb_interrupts(kOtherCpu);
    work();
    const auto got = static_cast<double>(tlb_interrupts(kOtherCpu) - before);
    return got * static_cast<double>(kGiB) / static_cast<double>(ram.bytes());
  };
  std::vector<double> with_window, by_buffer, by_page;
  for (unsigned round = 0; round < rounds; ++round) {
    progress(fmt::format("interrupts: round {} of {}", round + 1, rounds));
    window.reset();
    buffer.reset();
    with_window.push_back(count([&] { window.run(up); }));
    by_buffer.push_back(count([&] { buffer.run(up); }));
    by_page.push_back(count([&] { punch_by_page(ram, up); }));
  }
  figures.set("neighbour.tlb_ipi_per_gib.window", median(with_window));
  figures.set("neighbour.tlb_ipi_per_gib.buffer", median(by_buffer));
  figures.set("neighbour.tlb_ipi_per_gib.by_page", median(by_page));
}

void all(unsigned rounds) {
  const auto ram = or_give_up(MemoryFile::create(Kind::kSmall, kBytes));
  const auto large_ram = or_give_up(MemoryFile::create(Kind::kSmall, kLargeBytes));
  Neighbour neighbour(ram);
  Neighbour large_neighbour(large_ram);
  pin(kOurCpu);
  Figures figures;
  orders(ram, rounds, figures);
  large(large_ram, rounds, figures);
  mapped(ram, neighbour, rounds, figures);
  busy(ram, neighbour, rounds, figures);
  interrupts(ram, neighbour, rounds, figures);
  neighbour.rest();
  fragmented(large_ram, large_neighbour, rounds, figures);
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(rounds_wanted(argc, argv));
}
