// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/split_queue.hpp - device side of one split virtqueue: pop heads, return used buffers.
// Knows nothing of balloons or DPDK.
// Nothing in here locks: see Owner in base/owner.hpp.
// Source: VIRTIO 1.2: 2.7.6 avail, 2.7.8 used, 2.7.13/14 order, 2.7.7.2 when to notify.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "gmem/guest_memory.hpp"
#include "virtq/areas.hpp"
#include "virtq/dirty_log.hpp"
#include "virtq/fault.hpp"
#include "virtq/head.hpp"
#include "virtq/mark.hpp"
#include "wire/split_layout.hpp"

namespace vballoon::virtq {

class SplitQueue {
 public:
  /// The device side of a ring; the used index is as it lies in memory.
  /// @param next_avail  position of the next head to pop, by SET_VRING_BASE.
  /// @errors kInvalidArgument: size no power of two in [1, 32768], an area unaligned (2.7, 2.7.5)
  ///         or not wholly inside `memory`.
  [[nodiscard]] static Result<SplitQueue> open(const SplitAreas& areas, std::uint16_t next_avail,
                                               const gmem::GuestMemory& memory);

  /// Whether pop() would find something: one acquire load, nothing else.
  [[nodiscard]] bool has_work() const noexcept { return load_avail_idx() != next_avail_; }

  /// The word that has_work() looks at, and what it says while there is none.
  [[nodiscard]] const std::uint16_t* watched() const noexcept {
    return reinterpret_cast<const std::uint16_t*>(avail_ + kAvailIndexOffset);
  }
  [[nodiscard]] std::uint16_t next_avail() const noexcept { return next_avail_; }

  /// Takes available heads, oldest first, at most out.size().
  /// @return how many; fault() tells when the driver broke the ring, after which none come.
  [[nodiscard]] std::size_t pop(std::span<Head> out) noexcept;

  /// Copies a finished buffer into the next free used slot, still unseen by the driver.
  /// @pre  Popped here and not yet returned; its effect is guaranteed (section 4 of the design).
  /// @source VIRTIO 1.2, 2.7.8.2
  void stage(Head head, std::uint32_t written) noexcept;

  /// Makes everything staged visible with one release store.
  /// @return true when something was, and the driver wants to be called (2.7.7.2).
  [[nodiscard]] bool publish() noexcept;

  /// From now on these words say where the ring stands; they outlive the queue.
  void keep_mark(const MarkWords& words) noexcept;

  /// Tells the driver that no kick is needed: this side polls (2.7.10.1).
  void disable_kicks() noexcept;

  /// From now on what is written to the ring is marked there.
  /// @param memory  that of open().
  void log_writes(DirtyLog log, const gmem::GuestMemory& memory) noexcept;

  [[nodiscard]] QueueFault fault() const noexcept { return fault_; }
  [[nodiscard]] unsigned size() const noexcept { return mask_ + 1U; }

  /// Popped and not yet published. Counted here: the used index that the ring began with is the
  /// driver's word, and may be anything.
  [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_; }
  /// Where another owner must go on. Buffers are returned in the order they were popped, so what
  /// the driver has not seen used is simply popped again.
  [[nodiscard]] std::uint16_t position() const noexcept {
    return static_cast<std::uint16_t>(next_avail_ - outstanding_);
  }

  /// The ring's descriptor table; a walk reads each once.
  [[nodiscard]] const std::byte* descriptors() const noexcept { return descriptors_; }

 private:
  static constexpr std::size_t kAvailIndexOffset = 2;

  SplitQueue() noexcept = default;
  [[nodiscard]] std::uint16_t load_avail_idx() const noexcept;

  const std::byte* avail_ = nullptr;
  std::uint16_t next_avail_ = 0;  // the next ring slot to pop, modulo 2^16
  std::uint16_t next_used_ = 0;   // the next used slot to stage
  std::uint16_t published_ = 0;   // the used index as the driver sees it
  std::uint16_t mask_ = 0;
  std::uint32_t outstanding_ = 0;
  QueueFault fault_ = QueueFault::kNone;
  std::byte* used_ = nullptr;
  const std::byte* descriptors_ = nullptr;
  LoggedArea log_;  // of used_
  MarkWords mark_;
};

}  // namespace vballoon::virtq
