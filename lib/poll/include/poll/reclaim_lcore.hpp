// SPDX-License-Identifier: BSD-3-Clause
//
// poll/reclaim_lcore.hpp - one reclaim lcore: it carries out the batches that poll lcores hand it.
// Layer:  poll; may include base/ and device/. DPDK stays behind this header.
// Thread: run() is the lcore; stop() and counters() are for any.
#pragma once

#include <atomic>

#include "base/counter.hpp"
#include "poll/idle.hpp"
#include "reclaim/engine.hpp"

namespace vballoon::poll {

struct ReclaimLcoreCounters {
  Counter passes;
  Counter busy_passes;  ///< with batches to carry out
  Counter batches;      ///< counted one by one, while their pass goes on
  Counter sleeps;

  /// Changes while the lcore lives, with each pass and each batch. The longest that it may stand
  /// still is one batch: 16 MiB in 60 holes, some 10 ms, or a single huge page of 1 GiB that is to
  /// be put there again, which the kernel has to clear: a second on a slow machine.
  [[nodiscard]] std::uint64_t progress() const noexcept { return passes.get() + batches.get(); }
};

class ReclaimLcore {
 public:
  /// @param worker  its number in the engine, which outlives it.
  ReclaimLcore(unsigned lcore, reclaim::Engine& engine, unsigned worker, IdleStrategy idle) noexcept
      : engine_(engine), idle_(idle), worker_(worker), lcore_(lcore) {}

  /// The lcore's loop, until stop().
  void run() noexcept;
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  [[nodiscard]] unsigned lcore() const noexcept { return lcore_; }
  [[nodiscard]] const ReclaimLcoreCounters& counters() const noexcept { return counters_; }

 private:
  reclaim::Engine& engine_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  ReclaimLcoreCounters counters_;
  const unsigned worker_;
  const unsigned lcore_;
};

}  // namespace vballoon::poll
