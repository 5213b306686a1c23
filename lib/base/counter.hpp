// SPDX-License-Identifier: BSD-3-Clause
//
// base/counter.hpp - numbers that one thread writes and any thread may read.
// Thread: one writer; readers see a recent value, each counter on its own.
#pragma once

#include <atomic>
#include <cstdint>

namespace vballoon {

/// A statistic. Relaxed on both sides: nothing is ever concluded from the order of two counters.
class Counter {
 public:
  /// @pre The caller is the one writer; hence a load and a store, no locked instruction.
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace vballoon
