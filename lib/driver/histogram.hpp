// SPDX-License-Identifier: BSD-3-Clause
//
// driver/histogram.hpp - how long buffers took: min, quantiles, max.
// Thread: one owner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vballoon::driver {

/// Counts durations in buckets that grow with the value: exact below 64 ns, within 1/32 above.
/// Fixed size, records in a few nanoseconds, never allocates.
class Histogram {
 public:
  void record(std::uint64_t ns) noexcept;
  void merge(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] std::uint64_t mean() const noexcept { return count_ == 0 ? 0 : sum_ / count_; }

  /// The smallest bucket's upper end that at least this share of the values does not exceed.
  /// @param share  in [0, 1]; 0.5 is the median.
  /// @return  ns, never outside [min(), max()]; 0 while nothing was recorded.
  [[nodiscard]] std::uint64_t quantile(double share) const noexcept;

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr std::size_t kLinear = std::size_t{2} << kSubBits;  // one bucket a nanosecond
  static constexpr std::size_t kBuckets = kLinear + ((64 - kSubBits - 1) << kSubBits);

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t ns) noexcept;
  [[nodiscard]] static std::uint64_t upper_end(std::size_t bucket) noexcept;

  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
  std::array<std::uint64_t, kBuckets> buckets_{};
};

}  // namespace vballoon::driver
