// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/stats_exchange.hpp - a guest's statistics, between the queue that brings them and those
//                               who ask for them.
// It outlives the queue: readers and requesters need not know whether it runs.
// Thread: the device's owner hears and forgets; any thread reads and asks.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/counter.hpp"
#include "base/snapshot.hpp"
#include "wire/node_stats.hpp"
#include "wire/stats.hpp"

namespace vballoon::datapath {

/// The newest statistics of a driver, those by which others decide.
struct StatsRecord {
  wire::StatsSample sample;
  std::uint64_t sequence = 0;         ///< 0: none came yet
  std::uint64_t taken_ms = 0;         ///< steady clock
  std::uint64_t ballooned_pages = 0;  ///< by the ledger, when the sample came
};

class StatsExchange {
 public:
  /// @param ballooned_pages  what the ledger holds now
  void hear(const wire::StatsSample& sample, std::uint64_t ballooned_pages) noexcept;
  /// Of a device of large pages, before the sample that came with them: whoever reads the sample
  /// finds these nodes, or newer ones.
  void hear_nodes(const wire::NodeSample& nodes) noexcept { nodes_.store(nodes); }
  void forget() noexcept;

  [[nodiscard]] StatsRecord newest() const noexcept { return newest_.load(); }
  [[nodiscard]] wire::NodeSample nodes() const noexcept { return nodes_.load(); }
  /// Of the newest sample, without a copy of it.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_.get(); }

  void ask() noexcept { requested_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] bool asked() const noexcept {
    return requested_.load(std::memory_order_relaxed) != answered_;
  }
  /// The owner: all requests so far are served, by a question to the driver or by none.
  void answer_all() noexcept { answered_ = requested_.load(std::memory_order_relaxed); }

  bool held = false;  ///< the driver's buffer was here when the queue last stopped; owner only

 private:
  Snapshot<StatsRecord> newest_;
  Snapshot<wire::NodeSample> nodes_;
  Counter sequence_;
  std::uint64_t answered_ = 0;  // owner only
  std::atomic<std::uint64_t> requested_{0};
};

}  // namespace vballoon::datapath
