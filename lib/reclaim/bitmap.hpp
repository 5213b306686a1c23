// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/bitmap.hpp - one bit a page, worked on by ranges.
// A VMM may claim 16 TiB for a guest that uses little of it, and that is a bitmap of 512 MiB. So a
// second one, of a bit for each chunk of the first, says where anything was ever set: memory and
// time go by that, whatever the claim.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "base/zeroed_array.hpp"

namespace vballoon::reclaim {

class Bitmap {
 public:
  /// @param bits  all clear at first; memory is touched only where bits are set.
  explicit Bitmap(std::uint64_t bits);
  /// In words that somebody else keeps, as they are. @pre words_for(bits) of them.
  /// @param touched  likewise, marks_for(bits): a set bit for every chunk that may have one.
  Bitmap(std::uint64_t bits, std::span<std::uint64_t> kept,
         std::span<std::uint64_t> touched) noexcept;
  [[nodiscard]] static constexpr std::uint64_t words_for(std::uint64_t bits) noexcept {
    return (bits + kWordBits - 1) / kWordBits;
  }
  /// Bits of one chunk: a page of the host's, or 128 MiB of guest memory.
  static constexpr std::uint64_t kChunkBits = kPageSize * 8;
  [[nodiscard]] static constexpr std::uint64_t marks_for(std::uint64_t bits) noexcept {
    return words_for((bits + kChunkBits - 1) / kChunkBits);
  }

  /// See ZeroedArray.
  void provide(std::uint64_t bytes) const noexcept { words_.provide(bytes); }

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

  /// All bits; a chunk where none was set is not looked at.
  void clear_all() noexcept;

  /// The first bit in [from, end) that is set (or clear); `end` where there is none.
  [[nodiscard]] std::uint64_t next_set(std::uint64_t from, std::uint64_t end) const noexcept;
  [[nodiscard]] std::uint64_t next_clear(std::uint64_t from, std::uint64_t end) const noexcept;

  [[nodiscard]] std::uint64_t size() const noexcept { return bits_; }

 private:
  static constexpr std::uint64_t kWordBits = 64;

  std::uint64_t set_range(std::uint64_t first, std::uint64_t count) noexcept;
  void touch(std::uint64_t chunk) noexcept {
    std::uint64_t& word = touched_[chunk / kWordBits];
    const std::uint64_t mask = std::uint64_t{1} << (chunk % kWordBits);
    if ((word & mask) == 0) word |= mask;
  }
  void skip_untouched(std::uint64_t* first, std::uint64_t* count) const noexcept;
  [[nodiscard]] std::uint64_t next_touched(std::uint64_t from, std::uint64_t end) const noexcept;
  /// Pages in random order come one by one.
  std::uint64_t set_one(std::uint64_t bit) noexcept {
    std::uint64_t& word = words_[bit / kWordBits];
    const std::uint64_t mask = std::uint64_t{1} << (bit % kWordBits);
    const bool fresh = (word & mask) == 0;
    touch(bit / kChunkBits);
    word |= mask;
    return fresh ? 1 : 0;
  }

  ZeroedArray<std::uint64_t> words_;
  std::vector<std::uint64_t> own_marks_;  // none where somebody else keeps them
  std::uint64_t* touched_;                // by chunk
  std::uint64_t bits_;
};

}  // namespace vballoon::reclaim
