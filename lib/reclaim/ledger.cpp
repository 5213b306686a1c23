// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/ledger.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kWordBits = 64;

std::uint64_t mask_of(std::uint64_t index) noexcept {
  return std::uint64_t{1} << (index % kWordBits);
}

std::uint64_t page_of(Gpa gpa) noexcept { return bytes_to_pages(gpa.value); }

/// Host pages are counted from the start of the file, as the kernel frees them.
std::uint64_t host_pages_touched(const gmem::Region& region) {
  const std::uint64_t size = region.backing.host_page;
  const std::uint64_t lead = region.file_offset % size;
  return (lead + region.bytes + size - 1) / size;
}

}  // namespace

Ledger::Ledger(std::shared_ptr<const gmem::GuestMemory> memory)
    : bits_((memory->pages() + kWordBits - 1) / kWordBits), memory_(std::move(memory)) {
  for (const gmem::Region& region : memory_->regions()) {
    const bool huge = region.backing.host_page > kPageSize;
    counts_.emplace_back(huge ? host_pages_touched(region) : 0);
  }
}

void Ledger::adopt(const Ledger& old) {
  for (const gmem::Region& region : old.memory_->regions()) {
    const std::uint64_t first = page_of(region.first);
    PageRun rest{first, bytes_to_pages(region.bytes)};
    for (PageRun run = old.first_run(rest); run.pages != 0; run = old.first_run(rest)) {
      for (std::uint64_t page = run.first; page < run.end(); ++page) {
        static_cast<void>(insert(Pfn{static_cast<std::uint32_t>(page)}));
      }
      rest = PageRun{run.end(), rest.end() - run.end()};
    }
  }
}

std::optional<std::uint64_t> Ledger::index_of(std::uint64_t page) const noexcept {
  const gmem::Region* region = memory_->find(Gpa{pages_to_bytes(page)});
  if (region == nullptr) return std::nullopt;
  return region->first_index + (page - page_of(region->first));
}

Ledger::HostPage Ledger::host_page(const gmem::Region& region, std::uint64_t page) noexcept {
  const std::uint64_t size = region.backing.host_page;
  if (size <= kPageSize) return {};
  const std::uint64_t lead = region.file_offset % size;
  const std::uint64_t offset = lead + (pages_to_bytes(page) - region.first.value);
  const auto ordinal = static_cast<std::size_t>(&region - memory_->regions().data());
  const std::uint64_t first = page - bytes_to_pages(offset % size);
  return HostPage{&counts_[ordinal][offset / size], static_cast<std::uint32_t>(bytes_to_pages(size)),
                  PageRun{first, bytes_to_pages(size)}};
}

Ledger::Inserted Ledger::insert(Pfn pfn) noexcept {
  const gmem::Region* region = memory_->find(pfn);
  if (region == nullptr) return {};
  const std::uint64_t index = region->first_index + (pfn.value - page_of(region->first));
  std::uint64_t& word = bits_[index / kWordBits];
  const bool fresh = (word & mask_of(index)) == 0;
  word |= mask_of(index);
  population_ += fresh ? 1 : 0;
  const HostPage host = host_page(*region, pfn.value);
  if (host.inside == nullptr) return {true, fresh, PageRun{pfn.value, 1}};
  if (fresh) {
    ++*host.inside;
    ++stranded_;
    if (*host.inside == host.full) stranded_ -= host.full;
  }
  return {true, fresh, *host.inside == host.full ? host.run : PageRun{}};
}

Ledger::Erased Ledger::erase(Pfn pfn) noexcept {
  const gmem::Region* region = memory_->find(pfn);
  if (region == nullptr) return Erased::kOutsideMemory;
  const std::uint64_t index = region->first_index + (pfn.value - page_of(region->first));
  std::uint64_t& word = bits_[index / kWordBits];
  if ((word & mask_of(index)) == 0) return Erased::kNotIn;
  word &= ~mask_of(index);
  --population_;
  const HostPage host = host_page(*region, pfn.value);
  if (host.inside != nullptr) {
    if (*host.inside == host.full) stranded_ += host.full;
    --*host.inside;
    --stranded_;
  }
  return Erased::kErased;
}

bool Ledger::contains(Pfn pfn) const noexcept {
  const auto index = index_of(pfn.value);
  return index && (bits_[*index / kWordBits] & mask_of(*index)) != 0;
}

PageRun Ledger::first_run(PageRun within) const noexcept {
  // One region at a time: page indices of two regions may be neighbours where the pages are not.
  const auto start = index_of(within.first);
  if (within.pages == 0 || !start) return {};
  std::uint64_t index = *start;
  const std::uint64_t end = std::min(index + within.pages, memory_->pages());
  const auto skip_while = [this, end](std::uint64_t from, bool set) noexcept {
    while (from < end) {
      const std::uint64_t word = bits_[from / kWordBits] >> (from % kWordBits);
      const auto run = static_cast<std::uint64_t>(set ? std::countr_one(word)
                                                      : std::countr_zero(word));
      // Zeros shifted in from above look like clear bits; only what the word really holds counts.
      const std::uint64_t held = kWordBits - from % kWordBits;
      if (run < held) return std::min(from + run, end);
      from += held;
    }
    return end;
  };
  const std::uint64_t first = skip_while(index, false);
  const std::uint64_t last = skip_while(first, true);
  return PageRun{within.first + (first - index), last - first};
}

}  // namespace vballoon::reclaim
