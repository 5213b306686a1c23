// SPDX-License-Identifier: BSD-3-Clause
//
// base/size_histogram.hpp - how many things were of which size.
// Thread: one writer; readers see a recent value, each bucket on its own.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/counter.hpp"

namespace vballoon {

/// Sizes in bytes. The bounds are powers of four, from a page of 4 KiB to 64 MiB.
class SizeHistogram {
 public:
  static constexpr unsigned kFirstShift = 12;
  static constexpr std::size_t kBounds = 8;

  /// How many there are of each bucket; the last one is of those beyond the last bound.
  struct Counts {
    std::array<std::uint64_t, kBounds + 1> buckets{};
    std::uint64_t sum = 0;  ///< of the sizes, in bytes

    constexpr void add(std::uint64_t bytes) noexcept {
      ++buckets[bucket_of(bytes)];
      sum += bytes;
    }
  };

  /// @return the largest size of this bucket. @pre bucket < kBounds
  [[nodiscard]] static constexpr std::uint64_t bound(std::size_t bucket) noexcept {
    return std::uint64_t{1} << (kFirstShift + 2 * bucket);
  }
  /// @return the bucket of a size.
  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t bytes) noexcept {
    if (bytes <= bound(0)) return 0;
    const auto bits = static_cast<unsigned>(std::bit_width(bytes - 1));  // of the bound above it
    const std::size_t bucket = (bits - kFirstShift + 1) / 2;
    return bucket < kBounds ? bucket : kBounds;
  }

  void add(const Counts& more) noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (more.buckets[i] != 0) buckets_[i].add(more.buckets[i]);
    }
    sum_.add(more.sum);
  }
  [[nodiscard]] Counts get() const noexcept {
    Counts counts;
    for (std::size_t i = 0; i < buckets_.size(); ++i) counts.buckets[i] = buckets_[i].get();
    counts.sum = sum_.get();
    return counts;
  }

 private:
  std::array<Counter, kBounds + 1> buckets_;
  Counter sum_;
};

}  // namespace vballoon
