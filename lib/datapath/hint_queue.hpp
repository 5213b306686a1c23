// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/hint_queue.hpp - free page hints: counted by round, acknowledged, never discarded.
// Source: VIRTIO 1.2, 5.5.6.5: the driver may use hinted pages again at any time, even before the
//         device has used the buffer, so a discard would race with the guest's own data.
#pragma once

#include <array>
#include <cstdint>

#include "datapath/device_queue.hpp"

namespace vballoon::datapath {

/// The newest round of hints. Outlives the queue: a VM may be paused in the middle of one. Written
/// by the owner, read by anyone.
struct HintRound {
  Counter id;     ///< as the driver began it; 0: none yet
  Counter going;  ///< 1 until the driver says STOP
  Counter pages;  ///< that were hinted in it
};

class HintQueue final : public DeviceQueue {
 public:
  /// @param resumed  the driver is the one that began the round, if one is going on.
  HintQueue(Ring ring, const DeviceContext& context, HintRound& round, bool resumed) noexcept;

  [[nodiscard]] bool has_work() const noexcept { return ring_.has_work(); }
  void serve() noexcept;

 private:
  /// What the driver says in one chain, before the pages of that chain: a command id.
  struct Said {
    std::array<std::byte, 4> bytes{};
    std::uint64_t length = 0;
  };
  [[nodiscard]] std::uint32_t take(virtq::Head head) noexcept;
  void listen(GpaRange range, Said* said) const noexcept;
  void obey(const Said& said) noexcept;
  void count(GpaRange hinted) noexcept;

  HintRound& round_;
};

}  // namespace vballoon::datapath
