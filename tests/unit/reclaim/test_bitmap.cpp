// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/reclaim/test_bitmap.cpp - ranges of bits are the set of their bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "reclaim/bitmap.hpp"

namespace vballoon::reclaim {
namespace {

TEST(Bitmap, IsClearAtFirst) {
  for (const std::uint64_t bits : {0U, 1U, 63U, 64U, 65U, 1000U}) {
    const Bitmap map(bits);
    EXPECT_EQ(map.size(), bits);
    EXPECT_EQ(map.next_set(0, bits), bits);
    EXPECT_EQ(map.next_clear(0, bits), 0U);
    for (std::uint64_t bit = 0; bit < bits; ++bit) ASSERT_FALSE(map.test(bit));
  }
}

// Every range that begins and ends near a word's edge, against every other.
TEST(Bitmap, RangesAreExactAtTheEdgesOfWords) {
  constexpr std::uint64_t kBits = 200;
  const std::vector<std::uint64_t> edges{0, 1, 62, 63, 64, 65, 127, 128, 129, 191, 192, 193, 200};
  for (const std::uint64_t first : edges) {
    for (const std::uint64_t end : edges) {
      if (end < first) continue;
      Bitmap map(kBits);
      EXPECT_EQ(map.set(first, end - first), end - first);
      for (std::uint64_t bit = 0; bit < kBits; ++bit) {
        ASSERT_EQ(map.test(bit), bit >= first && bit < end) << first << " " << end << " " << bit;
      }
      EXPECT_EQ(map.set(first, end - first), 0U) << "all set already";
      EXPECT_EQ(map.next_set(0, kBits), first == end ? kBits : first);
      EXPECT_EQ(map.next_clear(first, kBits), first == end ? first : end);
      EXPECT_EQ(map.clear(0, kBits), end - first);
      EXPECT_EQ(map.next_set(0, kBits), kBits);
    }
  }
}

TEST(Bitmap, ASearchEndsWhereItIsTold) {
  Bitmap map(300);
  map.set(100, 100);
  EXPECT_EQ(map.next_set(0, 100), 100U) << "none: the end";
  EXPECT_EQ(map.next_set(0, 50), 50U);
  EXPECT_EQ(map.next_set(0, 101), 100U);
  EXPECT_EQ(map.next_clear(100, 150), 150U) << "none: the end";
  EXPECT_EQ(map.next_clear(150, 300), 200U);
  EXPECT_EQ(map.next_set(200, 300), 300U);
  EXPECT_EQ(map.next_set(120, 120), 120U) << "an empty range";
  EXPECT_EQ(map.next_clear(120, 120), 120U);
}

class BitmapModel {
 public:
  explicit BitmapModel(std::size_t bits) : bits_(bits) {}

  std::uint64_t fill(std::uint64_t first, std::uint64_t count, bool value) {
    std::uint64_t changed = 0;
    for (std::uint64_t bit = first; bit < first + count; ++bit) {
      if (bits_[bit] != value) ++changed;
      bits_[bit] = value;
    }
    return changed;
  }
  [[nodiscard]] std::uint64_t next(std::uint64_t from, std::uint64_t end, bool value) const {
    while (from < end && bits_[from] != value) ++from;
    return from;
  }
  [[nodiscard]] bool test(std::uint64_t bit) const { return bits_[bit]; }

 private:
  std::vector<bool> bits_;
};

TEST(Bitmap, RandomRangesFollowAModel) {
  std::mt19937 random(21);
  for (const std::uint64_t bits : {1U, 64U, 127U, 1000U, 4096U}) {
    Bitmap map(bits);
    BitmapModel model(bits);
    for (int step = 0; step < 20'000; ++step) {
      const std::uint64_t first = random() % bits;
      // Mostly short, now and then up to the end; a single bit has a way of its own.
      const std::uint64_t most =
          random() % 8 == 0 ? bits - first : std::min<std::uint64_t>(bits - first, 5);
      const std::uint64_t count = random() % (most + 1);
      switch (random() % 4) {
        case 0:
          ASSERT_EQ(map.set(first, count), model.fill(first, count, true));
          break;
        case 1:
          ASSERT_EQ(map.clear(first, count), model.fill(first, count, false));
          break;
        case 2:
          ASSERT_EQ(map.next_set(first, first + count), model.next(first, first + count, true));
          break;
        default:
          ASSERT_EQ(map.next_clear(first, first + count), model.next(first, first + count, false));
      }
      ASSERT_EQ(map.test(first), model.test(first)) << step;
    }
    for (std::uint64_t bit = 0; bit < bits; ++bit) ASSERT_EQ(map.test(bit), model.test(bit));
  }
}

}  // namespace
}  // namespace vballoon::reclaim
