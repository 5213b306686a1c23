// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/pfn_queue.hpp - a queue whose buffers are arrays of page numbers: inflate and deflate.
// Thread: the owner of the data path.
#pragma once

#include <optional>
#include <span>

#include "datapath/pfn_reader.hpp"
#include "datapath/queue_handler.hpp"

namespace vballoon::datapath {

class PfnQueue : public QueueHandler {
 public:
  PfnQueue(Ring ring, const DeviceContext& context)
      : QueueHandler(std::move(ring), context), held_(ring_.size()) {}

  [[nodiscard]] bool has_work() const noexcept final {
    return current_.has_value() || ring_.has_work();
  }
  void serve() noexcept final;
  [[nodiscard]] HeldBuffers* held() noexcept final { return &held_; }

 protected:
  virtual void take(reclaim::PageRun run) noexcept = 0;
  /// Whether so many page numbers can be taken in this pass.
  [[nodiscard]] virtual bool room_for(std::size_t pages) const noexcept = 0;
  /// All of the buffer's pages were taken: finish it, or hold it.
  virtual void end(virtq::Head head) noexcept = 0;

  HeldBuffers held_;

 private:
  struct Current {
    virtq::Head head;
    PfnReader reader;
  };
  bool begin() noexcept;
  void take_all(std::span<const Pfn> pfns) noexcept;

  std::optional<Current> current_;  // a buffer that a pass began and did not finish
};

/// Queue 0 (5.5.2): pages that the driver gives up.
class InflateQueue final : public PfnQueue {
 public:
  using PfnQueue::PfnQueue;

 private:
  void take(reclaim::PageRun run) noexcept override;
  [[nodiscard]] bool room_for(std::size_t /*pages*/) const noexcept override { return true; }
  void end(virtq::Head head) noexcept override;
};

/// Queue 1 (5.5.2): pages that the driver wants to use again.
class DeflateQueue final : public PfnQueue {
 public:
  using PfnQueue::PfnQueue;

 private:
  void take(reclaim::PageRun run) noexcept override;
  [[nodiscard]] bool room_for(std::size_t pages) const noexcept override {
    return context_.reclaimer.room_to_deflate() >= pages;
  }
  void end(virtq::Head head) noexcept override;
};

}  // namespace vballoon::datapath
