// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/stats_queue.hpp - the statistics queue: keep the driver's buffer, return it to ask anew.
// Requests come from any thread (StatsExchange).
// Source: VIRTIO 1.2, 5.5.6.3: one buffer, the driver's first, sent again whenever it was used.
#pragma once

#include <cstdint>
#include <optional>

#include "datapath/device_queue.hpp"
#include "datapath/stats_exchange.hpp"

namespace vballoon::datapath {

class StatsQueue final : public DeviceQueue {
 public:
  static constexpr bool kComesAlone = true;

  /// @param resumed  the buffer that comes first was seen before the pause; it is held, not
  /// counted.
  StatsQueue(Ring ring, const DeviceContext& context, StatsExchange& exchange,
             bool resumed) noexcept;
  ~StatsQueue();

  [[nodiscard]] bool has_work() const noexcept {
    return ring_.has_work() || (held_ && exchange_.asked());
  }
  void serve() noexcept;

 private:
  void take(virtq::Head head) noexcept;
  [[nodiscard]] std::uint32_t record(virtq::Head head) noexcept;
  void give_back() noexcept;

  StatsExchange& exchange_;
  std::optional<virtq::Head> held_;
  bool skip_next_;          // the buffer that was held before the pause comes again
  std::uint32_t hops_ = 0;  // of this pass
};

}  // namespace vballoon::datapath
