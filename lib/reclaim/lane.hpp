// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/lane.hpp - batches of one VM that is slow, on their way to a thread of its own.
// Thread: push() is for whoever has the seat of the VM's reclaim lcore, one at a time; pop() for
//         the lane's thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/check.hpp"

namespace vballoon::reclaim {

struct Batch;

class Lane {
 public:
  /// More than one device has on its way, so there is always room.
  static constexpr std::uint64_t kRoom = 8;

  void push(Batch* batch) noexcept {
    const std::uint64_t end = end_.load(std::memory_order_relaxed);
    VB_CHECK(end - begin_.load(std::memory_order_acquire) < kRoom);
    batches_[end % kRoom] = batch;
    end_.store(end + 1, std::memory_order_release);  // pairs with the acquire in pop()
  }

  /// The oldest, or null.
  [[nodiscard]] Batch* pop() noexcept {
    const std::uint64_t begin = begin_.load(std::memory_order_relaxed);
    if (begin == end_.load(std::memory_order_acquire)) return nullptr;
    Batch* const batch = batches_[begin % kRoom];
    begin_.store(begin + 1, std::memory_order_release);  // pairs with the acquire in push()
    return batch;
  }

 private:
  std::array<Batch*, kRoom> batches_{};
  std::atomic<std::uint64_t> end_{0};
  std::atomic<std::uint64_t> begin_{0};
};

}  // namespace vballoon::reclaim
