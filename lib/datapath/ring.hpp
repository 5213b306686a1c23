// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/ring.hpp - one running virtqueue of the device: the queue, its call, what to show of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/counter.hpp"
#include "datapath/watch.hpp"
#include "gmem/guest_memory.hpp"
#include "virtq/call.hpp"
#include "virtq/queue.hpp"

namespace vballoon::datapath {

/// What the operator sees of a queue; written by the data path's owner, read by anyone.
struct QueueStatus {
  Counter index;
  Counter size;     ///< 0: not started
  Counter fault;    ///< a virtq::QueueFault
  Counter buffers;  ///< returned to the driver since the daemon started
};

/// Everything that starting a queue takes.
struct QueueSetup {
  unsigned index = 0;
  virtq::QueueAreas areas;
  std::uint16_t position = 0;  ///< where it goes on
  int call_fd = -1;
  virtq::DirtyLog log{};     ///< of a VM that is being migrated
  bool resumed = false;      ///< the same driver goes on after a pause; nothing it sent is new
  virtq::MarkWords marks{};  ///< where it says how far it came; they outlive it
  /// Of device 13's ring of requests: where the newest target's serial is kept, and was. It
  /// outlives the ring. Null: nowhere.
  std::uint32_t* serial = nullptr;
};

class Ring {
 public:
  Ring(virtq::Queue queue, const QueueSetup& setup, std::shared_ptr<const gmem::GuestMemory> memory,
       QueueStatus& status) noexcept;

  /// Something to pop: one acquire load. Never true for a broken queue, nor for one that is
  /// closing.
  [[nodiscard]] bool has_work() const noexcept {
    return next_ != end_ || (queue_.has_work() && queue_.fault() == virtq::QueueFault::kNone);
  }

  /// Changes when the driver makes a buffer available; never once the queue is broken.
  [[nodiscard]] Watch watch() const noexcept;

  /// The next available buffer. Takes heads from the ring in bursts.
  [[nodiscard]] std::optional<virtq::Head> pop() noexcept;

  [[nodiscard]] virtq::ChainWalk walk(virtq::Head head) const noexcept {
    return queue_.walk(head, *memory_);
  }

  /// Used, unseen until publish(). @pre the oldest that pop() gave and that is not finished.
  /// @param written  bytes that the device wrote; into a buffer of the stock device nothing is ever
  ///                 written (2.7.8.2).
  void finish(virtq::Head head, std::uint32_t written = 0) noexcept;

  /// Shows all finished buffers at once. @return whether the driver was called.
  virtq::Call::Sent publish() noexcept {
    return std::exchange(finished_any_, false) ? show() : virtq::Call::Sent::kNobody;
  }

  [[nodiscard]] unsigned size() const noexcept { return queue_.size(); }
  [[nodiscard]] const gmem::GuestMemory& memory() const noexcept { return *memory_; }

  /// Of a VM that is being migrated: whoever writes into a buffer marks it there.
  [[nodiscard]] const virtq::DirtyLog& log() const noexcept { return log_; }

  /// Where the ring goes on after it was stopped here: what was popped and not finished comes
  /// again.
  [[nodiscard]] std::uint16_t position() const noexcept { return queue_.position(); }

 private:
  static constexpr std::size_t kBurst = 32;
  virtq::Call::Sent show() noexcept;

  virtq::Queue queue_;
  bool finished_any_ = false;  // since the last publish(): a pass asks every ring, twice
  std::size_t next_ = 0;       // heads_[next_, end_) are popped and not yet handed out
  std::size_t end_ = 0;
  std::array<virtq::Head, kBurst> heads_{};
  virtq::Call call_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  QueueStatus& status_;
  virtq::DirtyLog log_;
};

}  // namespace vballoon::datapath
