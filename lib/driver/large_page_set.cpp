// SPDX-License-Identifier: BSD-3-Clause
#include "driver/large_page_set.hpp"

#include <algorithm>

namespace vballoon::driver {

void LargePageSet::add(LargePage page) {
  if (!shifts_.emplace(page.at.value, page.shift).second) return;
  ++counts_[page.shift];
  bytes_ += page.bytes();
}

void LargePageSet::add(std::span<const Gpa> pages, unsigned shift) {
  for (const Gpa page : pages) add(LargePage{page, shift});
}

bool LargePageSet::holds(LargePage page) const {
  const auto found = shifts_.find(page.at.value);
  return found != shifts_.end() && found->second == page.shift;
}

bool LargePageSet::take(LargePage page) {
  if (!holds(page)) return false;
  shifts_.erase(page.at.value);
  --counts_[page.shift];
  bytes_ -= page.bytes();
  return true;
}

void LargePageSet::clear() noexcept {
  shifts_.clear();
  counts_.clear();
  bytes_ = 0;
}

std::vector<LargePage> LargePageSet::pages() const {
  std::vector<LargePage> all;
  all.reserve(shifts_.size());
  for (const auto& [at, shift] : shifts_) all.push_back({Gpa{at}, shift});
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Gpa> LargePageSet::pages(unsigned shift) const {
  std::vector<Gpa> all;
  for (const LargePage& page : pages()) {
    if (page.shift == shift) all.push_back(page.at);
  }
  return all;
}

std::size_t LargePageSet::count(unsigned shift) const {
  const auto found = counts_.find(shift);
  return found == counts_.end() ? 0 : found->second;
}

std::vector<Pfn> small_pages(std::span<const LargePage> pages) {
  std::vector<Pfn> small;
  for (const LargePage& page : pages) {
    const auto first = static_cast<std::uint32_t>(bytes_to_pages(page.at.value));
    const auto count = static_cast<std::uint32_t>(bytes_to_pages(page.bytes()));
    for (std::uint32_t i = 0; i < count; ++i) small.push_back(Pfn{first + i});
  }
  return small;
}

}  // namespace vballoon::driver
