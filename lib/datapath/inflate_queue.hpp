// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/inflate_queue.hpp - queue 0 (VIRTIO 1.2, 5.5.2): pages that the driver gives up.
#pragma once

#include "datapath/pfn_queue.hpp"

namespace vballoon::datapath {

class InflateQueue;
extern template class PfnQueue<InflateQueue>;

class InflateQueue final : public PfnQueue<InflateQueue> {
 public:
  using PfnQueue::PfnQueue;

 private:
  friend class PfnQueue<InflateQueue>;
  void take(reclaim::PageRun run) noexcept;
  [[nodiscard]] bool room_for(std::size_t /*pages*/) const noexcept { return true; }
  void end(virtq::Head head) noexcept;
};

}  // namespace vballoon::datapath
