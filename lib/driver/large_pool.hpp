// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_pool.hpp - a guest's free pages of several sizes, as its allocator has them.
// Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "driver/arena.hpp"
#include "driver/guest_ram.hpp"
#include "driver/large_page_set.hpp"
#include "driver/page_pool.hpp"

namespace vballoon::driver {

class LargePool {
 public:
  /// The RAM outside the arena, cut into the largest of these sizes that lie in it whole. What is
  /// smaller than the smallest is of no use to a balloon.
  /// @param shifts  any order.
  LargePool(const GuestRam& ram, const Arena& arena, std::span<const unsigned> shifts,
            PageOrder order, std::uint64_t seed);

  /// The next free pages of this size, fewer where there are fewer; takes a larger one apart where
  /// there is none of them.
  std::vector<Gpa> take(unsigned shift, std::size_t most);
  void give_back(std::span<const Gpa> pages, unsigned shift);

  [[nodiscard]] std::uint64_t free_bytes() const noexcept;
  /// Free pages of exactly this size.
  [[nodiscard]] std::size_t count(unsigned shift) const;

 private:
  void cut(GpaRange range);
  bool split_one_above(unsigned shift);

  std::map<unsigned, std::vector<Gpa>> free_;  // by shift; the last one goes first
};

}  // namespace vballoon::driver
