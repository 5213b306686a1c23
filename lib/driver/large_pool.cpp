// SPDX-License-Identifier: BSD-3-Clause
#include "driver/large_pool.hpp"

#include <algorithm>
#include <array>

namespace vballoon::driver {
namespace {

/// What of a region is not the arena's: a piece before it and one behind it.
std::array<GpaRange, 2> without(const gmem::Region& region, GpaRange arena) {
  const std::uint64_t begin = region.first.value;
  const std::uint64_t end = begin + region.bytes;
  const std::uint64_t low = std::clamp(arena.first.value, begin, end);
  const std::uint64_t high = std::clamp(arena.first.value + arena.bytes, begin, end);
  return {GpaRange{region.first, low - begin}, GpaRange{Gpa{high}, end - high}};
}

std::vector<Gpa> in_order(const std::vector<Gpa>& pages, PageOrder order, std::uint64_t seed) {
  std::vector<Pfn> pfns;
  pfns.reserve(pages.size());
  for (const Gpa page : pages) {
    pfns.push_back(Pfn{static_cast<std::uint32_t>(bytes_to_pages(page.value))});
  }
  std::vector<Gpa> arranged;
  arranged.reserve(pages.size());
  for (const Pfn pfn : arrange(std::move(pfns), order, seed)) arranged.push_back(to_gpa(pfn));
  std::reverse(arranged.begin(), arranged.end());
  return arranged;
}

}  // namespace

LargePool::LargePool(const GuestRam& ram, const Arena& arena, std::span<const unsigned> shifts,
                     PageOrder order, std::uint64_t seed) {
  for (const unsigned shift : shifts) free_[shift] = {};
  for (const gmem::Region& region : ram.map().regions()) {
    for (const GpaRange piece : without(region, arena.range())) cut(piece);
  }
  for (auto& [shift, pages] : free_) pages = in_order(pages, order, seed);
}

/// Upwards; each page is the largest that is aligned and fits.
void LargePool::cut(GpaRange range) {
  std::uint64_t at = range.first.value;
  const std::uint64_t end = at + range.bytes;
  const std::uint64_t step = std::uint64_t{1} << free_.begin()->first;
  at = (at + step - 1) / step * step;
  while (at < end && end - at >= step) {
    std::uint64_t taken = step;
    for (auto size = free_.rbegin(); size != free_.rend(); ++size) {
      taken = std::uint64_t{1} << size->first;
      if (at % taken != 0 || end - at < taken) continue;
      size->second.push_back(Gpa{at});
      break;
    }
    at += taken;
  }
}

bool LargePool::split_one_above(unsigned shift) {
  for (auto size = free_.upper_bound(shift); size != free_.end(); ++size) {
    if (size->second.empty()) continue;
    const Gpa whole = size->second.back();
    size->second.pop_back();
    const std::uint64_t parts = std::uint64_t{1} << (size->first - shift);
    for (std::uint64_t i = parts; i-- > 0;) {
      free_[shift].push_back(Gpa{whole.value + (i << shift)});
    }
    return true;
  }
  return false;
}

std::vector<Gpa> LargePool::take(unsigned shift, std::size_t most) {
  std::vector<Gpa> taken;
  std::vector<Gpa>& pages = free_[shift];
  while (taken.size() < most && (!pages.empty() || split_one_above(shift))) {
    taken.push_back(pages.back());
    pages.pop_back();
  }
  return taken;
}

void LargePool::give_back(std::span<const Gpa> pages, unsigned shift) {
  std::vector<Gpa>& free = free_[shift];
  free.insert(free.end(), pages.rbegin(), pages.rend());
}

std::uint64_t LargePool::free_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& [shift, pages] : free_) bytes += pages.size() << shift;
  return bytes;
}

std::size_t LargePool::count(unsigned shift) const {
  const auto found = free_.find(shift);
  return found == free_.end() ? 0 : found->second.size();
}

}  // namespace vballoon::driver
