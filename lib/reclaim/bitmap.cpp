// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/bitmap.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kWordBits = 64;

/// Calls visit(word index, mask) for every word that the range touches.
template <typename Visit>
void for_each_word(std::uint64_t first, std::uint64_t count, Visit visit) noexcept {
  while (count != 0) {
    const std::uint64_t shift = first % kWordBits;
    const std::uint64_t here = std::min(count, kWordBits - shift);
    const std::uint64_t ones = here == kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1;
    visit(first / kWordBits, ones << shift);
    first += here;
    count -= here;
  }
}

/// The first bit in [from, end) that is one after `flip`, which turns zeros into ones or does not.
std::uint64_t find(const ZeroedArray<std::uint64_t>& words, std::uint64_t from, std::uint64_t end,
                   std::uint64_t flip) noexcept {
  while (from < end) {
    const std::uint64_t word = (words[from / kWordBits] ^ flip) >> (from % kWordBits);
    if (word != 0) return std::min(end, from + static_cast<std::uint64_t>(std::countr_zero(word)));
    from = (from / kWordBits + 1) * kWordBits;
  }
  return end;
}

}  // namespace

Bitmap::Bitmap(std::uint64_t bits) : words_(words_for(bits)), bits_(bits) {}

Bitmap::Bitmap(std::uint64_t bits, std::span<std::uint64_t> kept) noexcept
    : words_(kept), bits_(bits) {
  VB_CHECK(kept.size() == words_for(bits));
}

void Bitmap::clear_all() noexcept {
  for (std::uint64_t i = 0; i < words_for(bits_); ++i) {
    if (words_[i] != 0) words_[i] = 0;
  }
}

std::uint64_t Bitmap::set_range(std::uint64_t first, std::uint64_t count) noexcept {
  std::uint64_t fresh = 0;
  for_each_word(first, count, [&](std::uint64_t index, std::uint64_t mask) noexcept {
    std::uint64_t& word = words_[index];
    fresh += static_cast<std::uint64_t>(std::popcount(mask & ~word));
    word |= mask;
  });
  return fresh;
}

std::uint64_t Bitmap::clear(std::uint64_t first, std::uint64_t count) noexcept {
  std::uint64_t gone = 0;
  for_each_word(first, count, [&](std::uint64_t index, std::uint64_t mask) noexcept {
    std::uint64_t& word = words_[index];
    gone += static_cast<std::uint64_t>(std::popcount(mask & word));
    word &= ~mask;
  });
  return gone;
}

std::uint64_t Bitmap::count(std::uint64_t first, std::uint64_t count) const noexcept {
  std::uint64_t found = 0;
  for_each_word(first, count, [&](std::uint64_t index, std::uint64_t mask) noexcept {
    found += static_cast<std::uint64_t>(std::popcount(mask & words_[index]));
  });
  return found;
}

std::uint64_t Bitmap::next_set(std::uint64_t from, std::uint64_t end) const noexcept {
  return find(words_, from, end, 0);
}

std::uint64_t Bitmap::next_clear(std::uint64_t from, std::uint64_t end) const noexcept {
  return find(words_, from, end, ~std::uint64_t{0});
}

}  // namespace vballoon::reclaim
