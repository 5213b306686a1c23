// SPDX-License-Identifier: BSD-3-Clause
//
// device/hint_queue.hpp - free page hints: acknowledged and counted, never discarded.
// Layer:  device. Thread: the owner of the data path.
// Source: VIRTIO 1.2, 5.5.6.6: the driver may use hinted pages again at any time, even before the
//         device has used the buffer, so a discard would race with the guest's own data.
#pragma once

#include "device/queue_handler.hpp"

namespace vballoon::device {

class HintQueue final : public QueueHandler {
 public:
  using QueueHandler::QueueHandler;

  [[nodiscard]] bool has_work() const noexcept override { return ring_.has_work(); }
  void serve() noexcept override;
};

}  // namespace vballoon::device
