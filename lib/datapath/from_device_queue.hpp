// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/from_device_queue.hpp - fromdevq of device 13: a buffer of the driver's goes back to it
//                                  with each request.
// Source: docs/device-13.md, 6; DEV-4, DEV-5, DEV-24.
#pragma once

#include "datapath/device_queue.hpp"
#include "datapath/requests.hpp"
#include "datapath/stats_exchange.hpp"

namespace vballoon::datapath {

/// A buffer stays in the ring until there is a request for it.
class FromDeviceQueue final : public DeviceQueue {
 public:
  static constexpr bool kComesAlone = true;

  /// @param resumed  the same driver goes on: it knows its target.
  FromDeviceQueue(Ring ring, const DeviceContext& context, Requests& requests, StatsExchange& stats,
                  bool resumed) noexcept;

  [[nodiscard]] bool has_work() const noexcept { return asks() && ring_.has_work(); }
  void serve() noexcept;

  /// Buffers that nothing is to be written to are no news.
  [[nodiscard]] Watch watch() const noexcept { return asks() ? ring_.watch() : nothing_to_watch(); }

 private:
  [[nodiscard]] bool asks() const noexcept { return target_due() || stats_.asked(); }
  [[nodiscard]] bool target_due() const noexcept {
    return requests_.targets.load(std::memory_order_relaxed) !=
           requests_.told.load(std::memory_order_relaxed);
  }
  std::uint32_t answer(virtq::Head head) noexcept;
  [[nodiscard]] wire::large::Request next() noexcept;

  Requests& requests_;
  StatsExchange& stats_;
};

}  // namespace vballoon::datapath
