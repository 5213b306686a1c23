// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/report_queue.hpp - free page reporting: discard what the guest holds still, then return
//                           it.
// Source: VIRTIO 1.2, 5.5.6.7: the buffers are the free pages themselves; the driver does not touch
//         them until the chain was used, and may the moment it was.
#pragma once

#include <optional>

#include "datapath/device_queue.hpp"

namespace vballoon::datapath {

class ReportQueue final : public HoldingQueue {
 public:
  using HoldingQueue::HoldingQueue;

  [[nodiscard]] bool has_work() const noexcept { return current_.has_value() || ring_.has_work(); }
  void serve() noexcept;

 private:
  struct Current {
    virtq::Head head;
    virtq::ChainWalk walk;
    GpaRange rest;  // of the present descriptor, not yet handed on
  };
  bool begin() noexcept;
  enum class Taken { kPiece, kEnd, kNoRoom };
  Taken take(std::uint64_t* left) noexcept;
  [[nodiscard]] bool next_segment() noexcept;

  std::optional<Current> current_;  // a chain that a pass began and did not finish
};

}  // namespace vballoon::datapath
