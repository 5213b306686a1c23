// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/reclaim_lcore.hpp - one reclaim lcore: it carries out the batches that poll lcores hand it.
// DPDK stays behind this header.
// Thread: run() is the lcore, whichever thread is its; stop() and counters() are for any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/counter.hpp"
#include "lcore/idle.hpp"
#include "lcore/post.hpp"
#include "reclaim/engine.hpp"
#include "reclaim/lane.hpp"

namespace vballoon::lcore {

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

class ReclaimLcore final : public Post {
 public:
  /// @param worker  its number in the engine, which outlives it.
  ReclaimLcore(unsigned lcore, reclaim::Engine& engine, unsigned worker, IdleStrategy idle) noexcept
      : engine_(engine), idle_(idle), worker_(worker), lcore_(lcore) {}

  /// The lcore's loop, until stop().
  void run(Tenure& tenure) noexcept override;
  void run() noexcept {
    Tenure tenure;
    run(tenure);
  }
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  [[nodiscard]] unsigned lcore() const noexcept { return lcore_; }
  [[nodiscard]] const ReclaimLcoreCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t progress() const noexcept override { return counters_.progress(); }

  /// The guard: see Post. What was entered is a Handover.
  void part_with(const void* whose, Parting* parting) noexcept override;

 private:
  reclaim::Engine& engine_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  ReclaimLcoreCounters counters_;
  const unsigned worker_;
  const unsigned lcore_;
};

/// A slow VM's batches, on a thread of its own; the reclaim lcore of the VM passes them on.
/// Thread: run() is that thread; the others are for the guard.
class LanePost final : public Post {
 public:
  /// @param engine  null where there is none: then nobody needs a lane.
  explicit LanePost(reclaim::Engine* engine) noexcept : engine_(engine) {}

  /// Until close().
  void run(Tenure& tenure) noexcept override;
  [[nodiscard]] std::uint64_t progress() const noexcept override { return batches_.get(); }
  /// Never: it serves nobody else.
  void part_with(const void*, Parting*) noexcept override {}

  void open(std::shared_ptr<reclaim::Conduct> conduct) noexcept;
  /// No batch comes any more from now on, but those that a reclaim lcore is just passing on.
  void turn_away() noexcept { conduct_->lane.store(nullptr, std::memory_order_release); }
  /// It is over once it is empty. @pre turn_away(), and each reclaim lcore has had its turn since.
  void close() noexcept;
  void stop() noexcept { closing_.store(true, std::memory_order_release); }

 private:
  reclaim::Engine* const engine_;
  reclaim::Lane lane_;
  std::shared_ptr<reclaim::Conduct> conduct_;  // the guard's
  std::atomic<bool> closing_{false};           // set by the guard, read by the thread
  Counter batches_;
};

}  // namespace vballoon::lcore
