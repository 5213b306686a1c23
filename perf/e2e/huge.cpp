// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/huge.cpp - memory of 2 MiB pages: transparent ones, which a hole of less destroys, and
// hugetlb ones, of which nothing is freed before all of the page is in the balloon.
#include <fmt/format.h>

#include "reclaim/discarder.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/vm.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = kGiB;

class Engine {
 public:
  explicit Engine(const MemoryFile& ram) : sink_(puncher_), vm_(ram, {}, Ack::kEarly) {
    vm_.path().set_sink(sink_);
  }
  void run(std::span<const Pfn> pfns) { stream_through(vm_, pfns); }
  void reset() { vm_.reset(); }

 private:
  reclaim::HolePuncher puncher_;
  reclaim::InlineSink sink_;
  Vm vm_;
};

struct Contest {
  Rounds rounds;
  double pages = 0;
};

/// Engine, page by page, buffer by buffer and one hole, over one file.
Contest contest(const MemoryFile& ram, unsigned rounds, const std::string& title) {
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Engine engine(ram);
  Contest contest;
  contest.pages = static_cast<double>(ram.pages());
  const auto fill = [&ram] { ram.populate(); };
  contest.rounds.add("limit", fill, [&ram] { punch_all(ram); });
  contest.rounds.add(
      "engine",
      [&] {
        ram.populate();
        engine.reset();
      },
      [&] {
        engine.run(up);
        if (ram.allocated_bytes() != 0) give_up("the engine left memory behind");
      });
  contest.rounds.add("by_buffer", fill, [&] { punch_by_buffer(ram, up); });
  contest.rounds.add("by_page", fill, [&] { punch_by_page(ram, up); });
  contest.rounds.run(rounds, title);
  return contest;
}

void record(const Contest& contest, const std::string& prefix, Figures& figures) {
  for (const char* name : {"limit", "engine", "by_buffer", "by_page"}) {
    figures.set(fmt::format("{}.{}_ns_per_page", prefix, name),
                contest.rounds.ns(name) / contest.pages);
  }
  figures.set(prefix + ".of_limit", contest.rounds.ratio("limit", "engine"));
}

void transparent(unsigned rounds, Figures& figures) {
  const auto ram = MemoryFile::create(Kind::kThp, kBytes);
  if (!ram) return figures.missing("thp.ascending.vs_per_buffer", ram.error().message);
  if (!ram->is_huge()) {
    return figures.missing("thp.ascending.vs_per_buffer",
                           "the kernel gives no transparent huge pages to a tmpfs");
  }
  const Contest thp = contest(*ram, rounds, "transparent huge pages");
  record(thp, "thp.ascending", figures);
  figures.set("thp.ascending.vs_per_buffer", thp.rounds.ratio("by_buffer", "engine"));
}

void hugetlb(unsigned rounds, Figures& figures) {
  const auto pool = HugePool::reserve(kBytes);
  if (!pool) return figures.missing("hugetlb.2m.ns_per_page", pool.error().message);
  const auto ram = or_give_up(MemoryFile::create(Kind::kHugetlb, kBytes));
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Engine engine(ram);
  Rounds turns;
  // Neither baseline here frees anything: a hole in part of a huge page zeroes it.
  turns.add(
      "limit", [&ram] { ram.populate(); }, [&ram] { punch_all(ram); });
  turns.add(
      "engine",
      [&] {
        ram.populate();
        engine.reset();
      },
      [&] {
        engine.run(up);
        if (ram.allocated_bytes() != 0) give_up("the engine left memory behind");
      });
  turns.add(
      "by_page", [&ram] { ram.populate(); }, [&] { punch_by_page(ram, up); });
  turns.run(rounds, "hugetlb");
  const auto pages = static_cast<double>(ram.pages());
  figures.set("hugetlb.2m.ns_per_page", turns.ns("engine") / pages);
  figures.set("hugetlb.2m.limit_ns_per_page", turns.ns("limit") / pages);
  figures.set("hugetlb.2m.by_page_ns_per_page", turns.ns("by_page") / pages);
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const unsigned rounds = rounds_wanted(argc, argv);
  pin(kOurCpu);
  Figures figures;
  transparent(rounds, figures);
  hugetlb(rounds, figures);
  figures.print();
}
