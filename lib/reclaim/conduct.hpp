// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/conduct.hpp - how a VM's memory treats those who serve it, and what that has led to.
// Thread: written by the guard (lcore/crew.hpp), read by any.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/counter.hpp"

namespace vballoon::reclaim {

class Lane;

/// Shared by the device and the threads that it has for itself; outlives neither.
struct Conduct {
  /// So long a VM has its threads for itself after one has stood still in its memory.
  static constexpr std::uint64_t kSlowMs = 10'000;

  Counter slow_calls;  ///< times that a thread stood still in its memory
  Counter lane_moves;  ///< times that an lcore was taken from a thread because of that
  std::atomic<std::uint64_t> slow_until_ms{0};  ///< on the clock of now_ms()
  std::atomic<bool> alone{false};               ///< its rings are served by a thread of its own
  /// The device is being taken off its lcore. The vhost event thread, which all VMs share, may
  /// wait. Written by the thread that takes it off.
  std::atomic<bool> leaving{false};
  /// Where its batches go instead of being carried out by a reclaim lcore; null: they do not.
  /// Stored with release, and loaded with acquire by whoever has that lcore's seat.
  std::atomic<Lane*> lane{nullptr};

  /// Each touch of its memory may take as long as its VMM likes, and other VMs wait meanwhile. So
  /// no further one is begun.
  [[nodiscard]] bool hurried() const noexcept {
    return leaving.load(std::memory_order_relaxed) && slow(vballoon::now_ms());
  }
  [[nodiscard]] bool slow(std::uint64_t now_ms) const noexcept {
    return now_ms < slow_until_ms.load(std::memory_order_relaxed);
  }
  /// The guard: somebody does, once more; and goes on to.
  void stood_still(std::uint64_t now_ms) noexcept {
    slow_calls.add(1);
    stands_still(now_ms);
  }
  void stands_still(std::uint64_t now_ms) noexcept {
    slow_until_ms.store(now_ms + kSlowMs, std::memory_order_relaxed);
  }
};

}  // namespace vballoon::reclaim
