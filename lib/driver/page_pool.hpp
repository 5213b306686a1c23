// SPDX-License-Identifier: BSD-3-Clause
//
// driver/page_pool.hpp - a guest's pages, and which of them are in the balloon.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace vballoon::driver {

/// In which order a guest's page allocator hands its pages to the balloon driver.
struct PageOrder {
  enum class Kind { kAscending, kDescending, kRuns, kRandom };
  Kind kind = Kind::kAscending;
  unsigned run = 1;  ///< kRuns: pages that stay together, ascending, while the runs are shuffled
};

/// "ascending", "descending", "random", "runs:N". @errors kInvalidArgument, naming these.
[[nodiscard]] Result<PageOrder> parse_order(std::string_view text);

/// The pages, given ascending, as this order brings them; equal seeds give equal results.
[[nodiscard]] std::vector<Pfn> arrange(std::vector<Pfn> ascending, PageOrder order,
                                       std::uint64_t seed);

/// Neighbours become one range, of at most `limit` bytes. Any order in, ascending out.
[[nodiscard]] std::vector<GpaRange> merge_ranges(std::span<const Pfn> pages, std::uint64_t limit);

/// Hands out pages in one fixed order and takes the last one back first, as Linux's list does.
class PagePool {
 public:
  explicit PagePool(std::vector<Pfn> in_order) : pages_(std::move(in_order)) {}

  [[nodiscard]] std::span<const Pfn> ballooned() const noexcept {
    return std::span(pages_).first(ballooned_);
  }
  [[nodiscard]] std::span<const Pfn> free() const noexcept {
    return std::span(pages_).subspan(ballooned_);
  }

  /// The next pages for the balloon, fewer where fewer are free. Valid while the pool lives.
  std::span<const Pfn> take(std::uint64_t pages) noexcept;
  /// The pages that come out of it, fewer where it holds fewer.
  std::span<const Pfn> give_back(std::uint64_t pages) noexcept;
  /// All pages are the guest's again.
  void empty_balloon() noexcept { ballooned_ = 0; }

 private:
  std::vector<Pfn> pages_;
  std::size_t ballooned_ = 0;
};

}  // namespace vballoon::driver
