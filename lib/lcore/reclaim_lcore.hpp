// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/reclaim_lcore.hpp - one reclaim lcore: it executes the batches that poll lcores hand over.
// DPDK stays behind this header.
// Thread: the thread that has the lcore's seat calls run(); any thread calls stop() and counters().
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
  Counter busy_passes;  ///< passes that had a batch
  Counter batches;      ///< counted one by one, during their pass
  Counter sleeps;

  /// Changes with each pass and each batch while the lcore lives. The longest time between two
  /// changes is one batch. A batch of discards has 16 MiB in 60 holes, some 10 ms. A huge page of
  /// 1 GiB that is put back, which the kernel has to clear, takes a second on a slow machine.
  [[nodiscard]] std::uint64_t progress() const noexcept { return passes.get() + batches.get(); }
};

class ReclaimLcore final : public Post {
 public:
  /// @param worker  the lcore's number in the engine. The engine outlives the lcore.
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

  /// @param whose  the reclaim::Handover that the thread entered.
  void part_with(const void* whose, Parting* parting) noexcept override;

 private:
  reclaim::Engine& engine_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  ReclaimLcoreCounters counters_;
  const unsigned worker_;
  const unsigned lcore_;
};

/// A slow VM's batches, on a thread of the VM's own. The VM's reclaim lcore forwards them.
/// Thread: that thread calls run(); the guard calls the rest.
class LanePost final : public Post {
 public:
  /// @param engine  null where there are no reclaim lcores: then no VM needs a lane.
  explicit LanePost(reclaim::Engine* engine) noexcept : engine_(engine) {}

  /// Runs until close().
  void run(Tenure& tenure) noexcept override;
  [[nodiscard]] std::uint64_t progress() const noexcept override { return batches_.get(); }
  /// Does nothing: a lane has one VM only.
  void part_with(const void*, Parting*) noexcept override {}

  void open(std::shared_ptr<reclaim::Conduct> conduct) noexcept;
  /// From now on no batch comes any more, except those that a reclaim lcore is just forwarding.
  void turn_away() noexcept { conduct_->lane.store(nullptr, std::memory_order_release); }
  /// run() returns once the lane is empty. @pre turn_away() was called, and each lcore has made
  /// progress since.
  void close() noexcept;
  void stop() noexcept { closing_.store(true, std::memory_order_release); }

 private:
  reclaim::Engine* const engine_;
  reclaim::Lane lane_;
  std::shared_ptr<reclaim::Conduct> conduct_;  // used by the guard only
  std::atomic<bool> closing_{false};           // set by the guard, read by the thread
  Counter batches_;
};

}  // namespace vballoon::lcore
