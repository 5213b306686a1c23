// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/deflate_queue.hpp - queue 1 (VIRTIO 1.2, 5.5.2): pages that the driver wants to use
//                              again.
#pragma once

#include "datapath/pfn_queue.hpp"

namespace vballoon::datapath {

class DeflateQueue;
extern template class PfnQueue<DeflateQueue>;

class DeflateQueue final : public PfnQueue<DeflateQueue> {
 public:
  using PfnQueue::PfnQueue;

 private:
  friend class PfnQueue<DeflateQueue>;
  void take(reclaim::PageRun run) noexcept;
  [[nodiscard]] bool room_for(std::size_t pages) const noexcept {
    return context_.reclaimer.prefaults().room() >= pages;
  }
  void end(virtq::Head head) noexcept;
};

}  // namespace vballoon::datapath
