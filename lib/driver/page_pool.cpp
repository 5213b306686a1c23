// SPDX-License-Identifier: BSD-3-Clause
#include "driver/page_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

namespace vballoon::driver {
namespace {

std::vector<Pfn> shuffle_runs(const std::vector<Pfn>& pages, std::size_t run, std::uint64_t seed) {
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < pages.size(); at += run) starts.push_back(at);
  std::shuffle(starts.begin(), starts.end(), std::mt19937_64(seed));
  std::vector<Pfn> shuffled;
  shuffled.reserve(pages.size());
  for (const std::size_t start : starts) {
    const std::size_t end = std::min(start + run, pages.size());
    for (std::size_t at = start; at < end; ++at) shuffled.push_back(pages[at]);
  }
  return shuffled;
}

}  // namespace

Result<PageOrder> parse_order(std::string_view text) {
  using Kind = PageOrder::Kind;
  if (text == "ascending") return PageOrder{Kind::kAscending, 1};
  if (text == "descending") return PageOrder{Kind::kDescending, 1};
  if (text == "random") return PageOrder{Kind::kRandom, 1};
  constexpr std::string_view kRuns = "runs:";
  if (text.starts_with(kRuns)) {
    const std::string_view number = text.substr(kRuns.size());
    unsigned run = 0;
    const auto [end, error] = std::from_chars(number.begin(), number.end(), run);
    if (error == std::errc{} && end == number.end() && run > 0) return PageOrder{Kind::kRuns, run};
  }
  return fail(
      Code::kInvalidArgument,
      fmt::format("page order \"{}\" is none of ascending, descending, random, runs:N", text));
}

std::vector<Pfn> arrange(std::vector<Pfn> ascending, PageOrder order, std::uint64_t seed) {
  switch (order.kind) {
    case PageOrder::Kind::kAscending:
      break;
    case PageOrder::Kind::kDescending:
      std::reverse(ascending.begin(), ascending.end());
      break;
    case PageOrder::Kind::kRuns:
      return shuffle_runs(ascending, order.run, seed);
    case PageOrder::Kind::kRandom:
      return shuffle_runs(ascending, 1, seed);
  }
  return ascending;
}

std::vector<GpaRange> merge_ranges(std::span<const Pfn> pages, std::uint64_t limit) {
  std::vector<Pfn> sorted(pages.begin(), pages.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<GpaRange> ranges;
  for (const Pfn pfn : sorted) {
    const Gpa gpa = to_gpa(pfn);
    GpaRange* const last = ranges.empty() ? nullptr : &ranges.back();
    if (last != nullptr && last->first.value + last->bytes == gpa.value && last->bytes < limit) {
      last->bytes += kPageSize;
    } else {
      ranges.push_back({gpa, kPageSize});
    }
  }
  return ranges;
}

std::span<const Pfn> PagePool::take(std::uint64_t pages) noexcept {
  const std::span<const Pfn> taken =
      free().first(static_cast<std::size_t>(std::min<std::uint64_t>(pages, free().size())));
  ballooned_ += taken.size();
  return taken;
}

std::span<const Pfn> PagePool::give_back(std::uint64_t pages) noexcept {
  const std::span<const Pfn> given =
      ballooned().last(static_cast<std::size_t>(std::min<std::uint64_t>(pages, ballooned_)));
  ballooned_ -= given.size();
  return given;
}

}  // namespace vballoon::driver
