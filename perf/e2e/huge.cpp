// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/huge.cpp - memory of 2 MiB pages: transparent ones, which a hole of less destroys, and
// hugetlb ones, of which nothing is freed before all of the page is in the balloon.
#include "driver/huge_pages.hpp"
#include "support/contest.hpp"
#include "support/cpu.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kBytes = 256 * kMiB;

void transparent(Effort effort, Figures& figures) {
  const auto ram = MemoryFile::create(Kind::kThp, kBytes);
  if (!ram) return figures.missing("thp.ascending.vs_per_buffer", ram.error().message);
  if (!ram->is_huge()) {
    return figures.missing("thp.ascending.vs_per_buffer",
                           "the kernel gives no transparent huge pages to a tmpfs");
  }
  const std::vector<Pfn> up = pages_in(kAscending, *ram);
  Contest contest(
      *ram, [&ram] { ram->populate(); }, "thp.ascending");
  contest.limit();
  contest.engine("engine", up);
  contest.by_buffer("by_buffer", up);
  contest.by_page("by_page", up, 4);
  contest.run(effort.many, figures);
  figures.set("thp.ascending.vs_per_buffer", contest.speedup("engine", "by_buffer"));
}

void hugetlb(Effort effort, Figures& figures) {
  const auto pool = driver::HugePages::get(kBytes / (2 * kMiB));
  if (!pool) return figures.missing("hugetlb.2m.ns_per_page", pool.error().message);
  const auto ram = or_give_up(MemoryFile::create(Kind::kHugetlb, kBytes));
  const std::vector<Pfn> up = pages_in(kAscending, ram);
  Contest contest(
      ram, [&ram] { ram.populate(); }, "hugetlb.2m");
  contest.limit();
  contest.engine("engine", up);
  // Frees nothing: a hole in part of a huge page zeroes it.
  contest.by_page("by_page", up, 4);
  contest.run(effort.many, figures);
  figures.set("hugetlb.2m.ns_per_page", figures.at("hugetlb.2m.engine_ns_per_page"));
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const Effort effort = effort_wanted(argc, argv);
  pin(kOurCpu);
  Figures figures;
  transparent(effort, figures);
  hugetlb(effort, figures);
  figures.print();
}
