// SPDX-License-Identifier: BSD-3-Clause
//
// virtq/packed_queue.hpp - device side of one packed virtqueue: pop heads, return used buffers.
// Knows nothing of balloons or DPDK.
// Nothing in here locks: see Owner in base/owner.hpp.
// Source: VIRTIO 1.2: 2.8.1 wrap counters, 2.8.6 chains, 2.8.7.1 used descriptors, 2.8.14 events.
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
#include "wire/packed_layout.hpp"

namespace vballoon::virtq {

class PackedQueue {
 public:
  /// Takes over the device side of a ring of which nothing is held. The used wrap counter is the
  /// available one then.
  /// @param position  of the next head to pop, as the front end sets it (SET_VRING_BASE).
  /// @errors kInvalidArgument: size not in [1, 32768], a position beyond it, an area unaligned
  ///         (2.8.10.1) or not wholly inside `memory`.
  [[nodiscard]] static Result<PackedQueue> open(const PackedAreas& areas, std::uint16_t position,
                                                const gmem::GuestMemory& memory);

  /// Whether pop() would find something: one acquire load, nothing else.
  [[nodiscard]] bool has_work() const noexcept {
    return scanned_ != 0 || available(load_flags(next_avail_), avail_wrap_);
  }

  /// The word that changes when there is something: the flags of the next descriptor.
  [[nodiscard]] const std::uint16_t* watched() const noexcept { return flags_of(next_avail_); }

  /// Takes available heads, oldest first, at most out.size(), and looks at a bounded number of
  /// descriptors: of a long chain the end may be found by a later call.
  /// @return how many; fault() tells when the driver broke the ring, after which none come.
  [[nodiscard]] std::size_t pop(std::span<Head> out) noexcept;

  /// Writes a finished buffer's used descriptor, over its own first one; the driver, which looks at
  /// them one after the other, does not come to it before publish().
  /// @pre  The oldest buffer that was popped and not yet returned: buffers are used in order.
  /// @source VIRTIO 1.2, 2.8.7.1
  void stage(Head head, std::uint32_t written) noexcept;

  /// Makes everything staged visible with one release store.
  /// @return true when something was, and the driver wants to be called (2.8.14).
  [[nodiscard]] bool publish() noexcept;

  /// From now on these words say where the ring stands; they outlive the queue. @pre nothing is
  /// staged.
  void keep_mark(const MarkWords& words) noexcept;

  /// Tells the driver that no kick is needed: this side polls (2.8.14).
  void disable_kicks() noexcept;

  /// From now on what is written to the ring is marked there.
  /// @param memory  that of open().
  void log_writes(DirtyLog log, const gmem::GuestMemory& memory) noexcept;

  [[nodiscard]] QueueFault fault() const noexcept { return fault_; }
  [[nodiscard]] unsigned size() const noexcept { return size_; }
  /// Descriptors of the buffers that were popped and not yet published.
  [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_ + staged_; }
  /// Where another owner must go on: at the oldest buffer that is not used. @pre nothing is staged.
  [[nodiscard]] std::uint16_t position() const noexcept;

  /// The ring's descriptors; a walk reads each once.
  [[nodiscard]] const std::byte* descriptors() const noexcept { return descriptors_; }

 private:
  PackedQueue() noexcept = default;
  enum class Scan { kHead, kNothing };
  Scan scan_chain(unsigned* budget, Head* out) noexcept;
  Scan stop(QueueFault fault) noexcept;

  [[nodiscard]] static bool available(std::uint16_t flags, bool wrap) noexcept {
    return (flags & (wire::kPackedAvail | wire::kPackedUsed)) == wire::available_bits(wrap);
  }
  [[nodiscard]] std::uint16_t next_used() const noexcept {
    return static_cast<std::uint16_t>(next_used_ | (used_wrap_ ? wire::kPositionWrap : 0));
  }
  [[nodiscard]] std::byte* at(unsigned index) const noexcept {
    return descriptors_ + std::size_t{index} * sizeof(wire::PackedDescriptor);
  }
  [[nodiscard]] std::uint16_t* flags_of(unsigned index) const noexcept {
    return reinterpret_cast<std::uint16_t*>(at(index) + offsetof(wire::PackedDescriptor, flags));
  }
  [[nodiscard]] std::uint16_t load_flags(unsigned index) const noexcept {
    // Pairs with the driver's release store of the flags (2.8.17.1): the descriptor is complete,
    // and where it is the first of a chain the others are.
    return __atomic_load_n(flags_of(index), __ATOMIC_ACQUIRE);
  }

  std::byte* descriptors_ = nullptr;
  std::uint16_t next_avail_ = 0;  // the next descriptor to pop
  std::uint16_t scanned_ = 0;     // descriptors seen of the chain there, whose end is not known yet
  std::uint16_t next_used_ = 0;   // the next descriptor to stage
  bool avail_wrap_ = true;
  bool used_wrap_ = true;
  QueueFault fault_ = QueueFault::kNone;
  std::uint32_t size_ = 0;
  std::uint32_t outstanding_ = 0;   // descriptors popped and not staged
  std::uint32_t staged_ = 0;        // descriptors staged and not published
  std::uint16_t first_staged_ = 0;  // whose flags publish() writes, to let all be seen
  std::uint16_t staged_flags_ = 0;
  const std::byte* driver_event_ = nullptr;
  std::byte* device_event_ = nullptr;
  LoggedArea ring_log_;            // of descriptors_
  LoggedArea event_log_;           // of device_event_
  std::uint16_t published_ = 0;    // the position up to which the driver sees buffers used
  std::uint16_t last_staged_ = 0;  // where the newest buffer in the mark begins
  std::uint16_t last_id_ = 0;
  MarkWords mark_;
};

}  // namespace vballoon::virtq
