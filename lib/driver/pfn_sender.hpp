// SPDX-License-Identifier: BSD-3-Clause
//
// driver/pfn_sender.hpp - page numbers through the inflate or the deflate queue.
// Thread: one owner, that of the queue.
// Source: VIRTIO 1.2, 5.5.6.1: a buffer is an array of le32 page numbers. Linux puts at most 256
//         into one and has one outstanding; a deeper pipeline is legal.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "driver/driver_queue.hpp"
#include "driver/histogram.hpp"

namespace vballoon::driver {

/// Waits for one used buffer of this queue, or fails when it does not come.
using WaitUsed = std::function<Result<Used>(DriverQueue&)>;

/// What went through one queue so far.
struct Traffic {
  std::uint64_t buffers = 0;
  std::uint64_t pages = 0;  ///< of 4 KiB
  Histogram latency;        ///< a buffer's way from available to used
};

class PfnSender {
 public:
  /// @param batch  pages a buffer; @param depth  buffers outstanding at most. Both at least 1.
  /// @errors kInvalidArgument when the arena is too small.
  [[nodiscard]] static Result<PfnSender> create(const GuestRam& ram, Arena& arena, unsigned batch,
                                                unsigned depth);

  /// Sends all of it and returns when every buffer was used.
  Result<void> send(DriverQueue& queue, std::span<const Pfn> pfns, const WaitUsed& wait);

  [[nodiscard]] Traffic& traffic() noexcept { return traffic_; }

 private:
  struct Slot {
    Gpa gpa;
    std::span<std::byte> bytes;
  };

  PfnSender(std::vector<Slot> slots, unsigned batch);
  void post(DriverQueue& queue, std::span<const Pfn> pfns);
  void settle(const Used& used);

  std::vector<Slot> slots_;
  std::vector<std::uint64_t> free_;  // slots
  Traffic traffic_;
  unsigned batch_;
};

}  // namespace vballoon::driver
