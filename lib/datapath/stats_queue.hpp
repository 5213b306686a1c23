// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/stats_queue.hpp - the statistics queue: keep the driver's buffer, return it to ask anew.
// Requests come from any thread (StatsExchange).
// Source: VIRTIO 1.2, 5.5.6.3: one buffer, the driver's first, sent again whenever it was used.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/snapshot.hpp"
#include "datapath/device_queue.hpp"
#include "wire/node_stats.hpp"
#include "wire/stats.hpp"

namespace vballoon::datapath {

/// The newest statistics of a driver.
struct StatsRecord {
  wire::StatsSample sample;
  wire::NodeSample nodes;             ///< empty for the stock device
  std::uint64_t sequence = 0;         ///< 0: none came yet
  std::uint64_t taken_ms = 0;         ///< steady clock
  std::uint64_t ballooned_pages = 0;  ///< by the ledger, when the sample came
};

/// What outlives the queue: readers and requesters need not know whether it runs.
struct StatsExchange {
  Snapshot<StatsRecord> newest;
  std::uint64_t answered =
      0;              ///< requests that a sample or a returned buffer has answered; owner only
  bool held = false;  ///< the buffer was here when the queue last stopped; owner only
  std::atomic<std::uint64_t> requested{0};  ///< raised by requesters, compared by the queue
};

class StatsQueue final : public DeviceQueue {
 public:
  static constexpr bool kComesAlone = true;

  /// @param resumed  the buffer that comes first was seen before the pause; it is held, not
  /// counted.
  StatsQueue(Ring ring, const DeviceContext& context, StatsExchange& exchange,
             bool resumed) noexcept;
  ~StatsQueue();

  [[nodiscard]] bool has_work() const noexcept {
    return ring_.has_work() || (held_ && request_pending());
  }
  void serve() noexcept;

 private:
  [[nodiscard]] bool request_pending() const noexcept {
    return exchange_.requested.load(std::memory_order_relaxed) != exchange_.answered;
  }
  void take(virtq::Head head) noexcept;
  [[nodiscard]] std::uint32_t record(virtq::Head head) noexcept;
  void give_back() noexcept;

  StatsExchange& exchange_;
  std::optional<virtq::Head> held_;
  bool skip_next_;          // the buffer that was held before the pause comes again
  std::uint32_t hops_ = 0;  // of this pass
};

}  // namespace vballoon::datapath
