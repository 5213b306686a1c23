// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/bitmap.hpp - one bit a page, worked on by ranges.
// Layer:  reclaim; may include base/. Thread: one owner.
#pragma once

#include <cstdint>
#include <span>

#include "base/zeroed_array.hpp"

namespace vballoon::reclaim {

class Bitmap {
 public:
  /// @param bits  all clear at first; memory is touched only where bits are set.
  explicit Bitmap(std::uint64_t bits);
  /// In words that somebody else keeps, as they are. @pre words_for(bits) of them.
  Bitmap(std::uint64_t bits, std::span<std::uint64_t> kept) noexcept;
  [[nodiscard]] static constexpr std::uint64_t words_for(std::uint64_t bits) noexcept {
    return (bits + kWordBits - 1) / kWordBits;
  }

  /// See ZeroedArray.
  void provide() const noexcept { words_.provide(); }

  /// @return how many of the range were clear before.
  std::uint64_t set(std::uint64_t first, std::uint64_t count) noexcept {
    return count == 1 ? set_one(first) : set_range(first, count);
  }
  /// @return how many of the range were set before.
  std::uint64_t clear(std::uint64_t first, std::uint64_t count) noexcept;

  /// @return how many of the range are set.
  [[nodiscard]] std::uint64_t count(std::uint64_t first, std::uint64_t count) const noexcept;

  [[nodiscard]] bool test(std::uint64_t bit) const noexcept {
    return ((words_[bit / kWordBits] >> (bit % kWordBits)) & 1) != 0;
  }

  /// All bits; a page of the host's where none is set is only read.
  void clear_all() noexcept;

  /// The first bit in [from, end) that is set (or clear); `end` where there is none.
  [[nodiscard]] std::uint64_t next_set(std::uint64_t from, std::uint64_t end) const noexcept;
  [[nodiscard]] std::uint64_t next_clear(std::uint64_t from, std::uint64_t end) const noexcept;

  [[nodiscard]] std::uint64_t size() const noexcept { return bits_; }

 private:
  static constexpr std::uint64_t kWordBits = 64;

  std::uint64_t set_range(std::uint64_t first, std::uint64_t count) noexcept;
  /// Pages in random order come one by one.
  std::uint64_t set_one(std::uint64_t bit) noexcept {
    std::uint64_t& word = words_[bit / kWordBits];
    const std::uint64_t mask = std::uint64_t{1} << (bit % kWordBits);
    const bool fresh = (word & mask) == 0;
    word |= mask;
    return fresh ? 1 : 0;
  }

  ZeroedArray<std::uint64_t> words_;
  std::uint64_t bits_;
};

}  // namespace vballoon::reclaim
