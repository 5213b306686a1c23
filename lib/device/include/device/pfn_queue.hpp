// SPDX-License-Identifier: BSD-3-Clause
//
// device/pfn_queue.hpp - a queue whose buffers are arrays of page numbers: inflate and deflate.
// Layer:  device. Thread: the owner of the data path.
#pragma once

#include <optional>

#include "device/pfn_reader.hpp"
#include "device/queue_handler.hpp"

namespace vballoon::device {

class PfnQueue : public QueueHandler {
 public:
  using QueueHandler::QueueHandler;

  [[nodiscard]] bool has_work() const noexcept final {
    return current_.has_value() || ring_.has_work();
  }
  void serve() noexcept final;

 protected:
  virtual void take(Pfn pfn) noexcept = 0;

 private:
  struct Current {
    virtq::Head head;
    PfnReader reader;
  };
  bool begin() noexcept;

  std::optional<Current> current_;  // a buffer that a pass began and did not finish
};

/// Queue 0 (5.5.2): pages that the driver gives up.
class InflateQueue final : public PfnQueue {
 public:
  using PfnQueue::PfnQueue;

 private:
  void take(Pfn pfn) noexcept override;
};

/// Queue 1 (5.5.2): pages that the driver wants to use again.
class DeflateQueue final : public PfnQueue {
 public:
  using PfnQueue::PfnQueue;

 private:
  void take(Pfn pfn) noexcept override;
};

}  // namespace vballoon::device
