// SPDX-License-Identifier: BSD-3-Clause
#include "driver/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vballoon::driver {

std::size_t Histogram::bucket_of(std::uint64_t ns) noexcept {
  if (ns < kLinear) return ns;
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - kSubBits - 1;
  return (std::size_t{shift} << kSubBits) + (ns >> shift);
}

std::uint64_t Histogram::upper_end(std::size_t bucket) noexcept {
  if (bucket < kLinear) return bucket;
  const std::size_t shift = (bucket >> kSubBits) - 1;
  const std::uint64_t lead = bucket - (shift << kSubBits);
  return ((lead + 1) << shift) - 1;
}

void Histogram::record(std::uint64_t ns) noexcept {
  ++buckets_[bucket_of(ns)];
  ++count_;
  sum_ += ns;
  min_ = std::min(min_, ns);
  max_ = std::max(max_, ns);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::quantile(double share) const noexcept {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    below += buckets_[i];
    if (below >= wanted && below > 0) return std::clamp(upper_end(i), min_, max_);
  }
  return max_;
}

}  // namespace vballoon::driver
