// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/bitmap.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kWordBits = 64;

/// Calls visit(word index, mask) for every word that the range touches. Most ranges are blocks, so
/// most words are touched whole. The mask of a whole word is a constant, and masks nothing.
template <typename Visit>
void for_each_word(std::uint64_t first, std::uint64_t count, Visit visit) noexcept {
  if (count == 0) return;
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const std::uint64_t last = first + count - 1;
  const std::uint64_t head = kAll << (first % kWordBits);
  const std::uint64_t tail = kAll >> (kWordBits - 1 - last % kWordBits);
  std::uint64_t index = first / kWordBits;
  if (index == last / kWordBits) return visit(index, head & tail);
  visit(index, head);
  while (++index != last / kWordBits) visit(index, kAll);
  visit(index, tail);
}

/// The first bit in [from, end) that is one after `flip`, which turns zeros into ones or does not.
template <typename Words>
std::uint64_t find(const Words& words, std::uint64_t from, std::uint64_t end,
                   std::uint64_t flip) noexcept {
  while (from < end) {
    const std::uint64_t word = (words[from / kWordBits] ^ flip) >> (from % kWordBits);
    if (word != 0) return std::min(end, from + static_cast<std::uint64_t>(std::countr_zero(word)));
    from = (from / kWordBits + 1) * kWordBits;
  }
  return end;
}

}  // namespace

Bitmap::Bitmap(std::uint64_t bits)
    : words_(words_for(bits)),
      own_marks_(marks_for(bits)),
      touched_(own_marks_.data()),
      bits_(bits) {}

Bitmap::Bitmap(std::uint64_t bits, std::span<std::uint64_t> kept,
               std::span<std::uint64_t> touched) noexcept
    : words_(kept), touched_(touched.data()), bits_(bits) {
  VB_CHECK(kept.size() == words_for(bits) && touched.size() == marks_for(bits));
}

void Bitmap::clear_all() noexcept {
  for (std::uint64_t at = next_touched(0, bits_); at < bits_; at = next_touched(at, bits_)) {
    const std::uint64_t end = std::min(at + kChunkBits, bits_);
    for (std::uint64_t i = at / kWordBits; i < words_for(end); ++i) {
      if (words_[i] != 0) words_[i] = 0;
    }
    const std::uint64_t chunk = at / kChunkBits;
    touched_[chunk / kWordBits] &= ~(std::uint64_t{1} << (chunk % kWordBits));
    at = end;
  }
}

/// From here on, the first bit of which the chunk was touched; `end` where there is none.
std::uint64_t Bitmap::next_touched(std::uint64_t from, std::uint64_t end) const noexcept {
  if (from >= end) return end;
  const std::uint64_t chunk =
      find(touched_, from / kChunkBits, (end + kChunkBits - 1) / kChunkBits, 0);
  return std::min(end, std::max(from, chunk * kChunkBits));
}

/// Of a file's words even reading makes a page.
void Bitmap::skip_untouched(std::uint64_t* first, std::uint64_t* count) const noexcept {
  const std::uint64_t at = next_touched(*first, *first + *count);
  *count -= at - *first;
  *first = at;
}

std::uint64_t Bitmap::set_range(std::uint64_t first, std::uint64_t count) noexcept {
  std::uint64_t fresh = 0;
  for (std::uint64_t at = first; at < first + count; at = (at / kChunkBits + 1) * kChunkBits) {
    touch(at / kChunkBits);
  }
  for_each_word(first, count, [&](std::uint64_t index, std::uint64_t mask) noexcept {
    std::uint64_t& word = words_[index];
    fresh += static_cast<std::uint64_t>(std::popcount(mask & ~word));
    word |= mask;
  });
  return fresh;
}

std::uint64_t Bitmap::clear(std::uint64_t first, std::uint64_t count) noexcept {
  std::uint64_t gone = 0;
  skip_untouched(&first, &count);
  for_each_word(first, count, [&](std::uint64_t index, std::uint64_t mask) noexcept {
    std::uint64_t& word = words_[index];
    gone += static_cast<std::uint64_t>(std::popcount(mask & word));
    word &= ~mask;
  });
  return gone;
}

std::uint64_t Bitmap::count(std::uint64_t first, std::uint64_t count) const noexcept {
  std::uint64_t found = 0;
  skip_untouched(&first, &count);
  for_each_word(first, count, [&](std::uint64_t index, std::uint64_t mask) noexcept {
    found += static_cast<std::uint64_t>(std::popcount(mask & words_[index]));
  });
  return found;
}

std::uint64_t Bitmap::next_set(std::uint64_t from, std::uint64_t end) const noexcept {
  for (from = next_touched(from, end); from < end; from = next_touched(from, end)) {
    const std::uint64_t stop = std::min(end, (from / kChunkBits + 1) * kChunkBits);
    const std::uint64_t found = find(words_, from, stop, 0);
    if (found != stop) return found;
    from = stop;
  }
  return end;
}

std::uint64_t Bitmap::next_clear(std::uint64_t from, std::uint64_t end) const noexcept {
  return find(words_, from, end, ~std::uint64_t{0});
}

}  // namespace vballoon::reclaim
