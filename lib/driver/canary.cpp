// SPDX-License-Identifier: BSD-3-Clause
#include "driver/canary.hpp"

#include <cstring>

namespace vballoon::driver {
namespace {

constexpr std::size_t kWords = kPageSize / sizeof(std::uint64_t);
constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio, odd

/// Spreads every input bit over all output bits (the finalizer of MurmurHash3).
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x ^= x >> 33;
  x *= 0xFF51AFD7ED558CCD;
  x ^= x >> 33;
  x *= 0xC4CEB9FE1A85EC53;
  return x ^ (x >> 33);
}

constexpr std::uint64_t first_word(std::uint64_t seed, Pfn pfn) noexcept {
  return mix(seed + kGolden * (std::uint64_t{pfn.value} + 1));
}

}  // namespace

void fill_canary(std::span<std::byte> page, std::uint64_t seed, Pfn pfn) noexcept {
  std::uint64_t word = first_word(seed, pfn);
  for (std::size_t i = 0; i < kWords; ++i, word += kGolden) {
    std::memcpy(page.data() + i * sizeof(word), &word, sizeof(word));
  }
}

bool holds_canary(std::span<const std::byte> page, std::uint64_t seed, Pfn pfn) noexcept {
  std::uint64_t expected = first_word(seed, pfn);
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < kWords; ++i, expected += kGolden) {
    std::uint64_t word = 0;
    std::memcpy(&word, page.data() + i * sizeof(word), sizeof(word));
    difference |= word ^ expected;
  }
  return difference == 0;
}

void fill_canaries(const GuestRam& ram, std::span<const Pfn> pages, std::uint64_t seed) noexcept {
  for (const Pfn pfn : pages) fill_canary(ram.page(pfn), seed, pfn);
}

CanaryVerdict check_canaries(const GuestRam& ram, std::span<const Pfn> pages,
                             std::uint64_t seed) noexcept {
  CanaryVerdict verdict;
  for (const Pfn pfn : pages) {
    ++verdict.checked;
    if (holds_canary(ram.page(pfn), seed, pfn)) continue;
    if (verdict.changed++ == 0) verdict.first_changed = pfn;
  }
  return verdict;
}

}  // namespace vballoon::driver
