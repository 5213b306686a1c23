// SPDX-License-Identifier: BSD-3-Clause
#include "support/order.hpp"

#include <algorithm>
#include <array>
#include <random>

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::uint32_t kLongestRun = 32;
constexpr std::uint32_t kShortestRun = 2;

std::vector<Pfn> ascending(const MemoryFile& ram) {
  std::vector<Pfn> pages;
  pages.reserve(ram.pages());
  for (std::uint64_t page = 0; page < ram.pages(); ++page) pages.push_back(Vm::pfn(page));
  return pages;
}

std::uint64_t offset_of(Pfn pfn) {
  return pages_to_bytes(pfn.value - Vm::pfn(0).value);
}

/// @param pfns  ascending.
void punch_runs(const MemoryFile& ram, std::span<const Pfn> pfns) {
  for (std::size_t first = 0; first < pfns.size();) {
    std::size_t end = first + 1;
    while (end < pfns.size() && pfns[end].value == pfns[end - 1].value + 1) ++end;
    ram.punch(offset_of(pfns[first]), pages_to_bytes(end - first));
    first = end;
  }
}

}  // namespace

std::vector<Pfn> pages_in(driver::PageOrder order, const MemoryFile& ram) {
  return driver::arrange(ascending(ram), order, kSeed);
}

std::vector<Pfn> fragmented_pages(const MemoryFile& ram) {
  const std::vector<Pfn> pages = ascending(ram);
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<std::size_t> length(kShortestRun, kLongestRun);
  std::vector<std::span<const Pfn>> runs;
  for (std::span<const Pfn> rest = pages; !rest.empty();) {
    const std::size_t run = std::min(rest.size(), length(random));
    runs.push_back(rest.first(run));
    rest = rest.subspan(run);
  }
  std::shuffle(runs.begin(), runs.end(), random);
  std::vector<Pfn> shuffled;
  shuffled.reserve(pages.size());
  for (const auto run : runs) shuffled.insert(shuffled.end(), run.begin(), run.end());
  return shuffled;
}

void punch_by_page(const MemoryFile& ram, std::span<const Pfn> pfns) {
  for (const Pfn pfn : pfns) ram.punch(offset_of(pfn), kPageSize);
}

void punch_by_buffer(const MemoryFile& ram, std::span<const Pfn> pfns) {
  std::array<Pfn, Vm::kPagesPerBuffer> buffer{};
  while (!pfns.empty()) {
    const std::size_t count = std::min(pfns.size(), buffer.size());
    std::copy_n(pfns.begin(), count, buffer.begin());
    std::sort(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
    punch_runs(ram, std::span(buffer).first(count));
    pfns = pfns.subspan(count);
  }
}

void punch_all(const MemoryFile& ram) {
  ram.punch(0, ram.bytes());
}

}  // namespace vballoon::perf
