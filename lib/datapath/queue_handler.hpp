// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/queue_handler.hpp - what every queue of the device does in a pass.
// Thread: the owner of the data path.
#pragma once

#include <atomic>
#include <cstdint>

#include "datapath/config_space.hpp"
#include "datapath/counters.hpp"
#include "datapath/held_buffers.hpp"
#include "datapath/ring.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::datapath {

/// What the handlers of one device share; outlives them.
struct DeviceContext {
  reclaim::Reclaimer& reclaimer;
  DeviceCounters& counters;
  const datapath::ConfigSpace& config;
  const std::atomic<bool>& reporting;  ///< the operator wants reported pages discarded
  bool page_poison = false;  ///< PAGE_POISON was acknowledged, so the config's poison value counts
  bool tells_host =
      false;  ///< MUST_TELL_HOST was: no page is used again before its deflate buffer is
  std::uint64_t now_us = 0;  ///< steady clock, as of this pass

  /// A guest that poisons its free pages expects the pattern back, not zeroes (5.5.6.7.1).
  [[nodiscard]] bool keeps_reports() const noexcept {
    return !reporting.load(std::memory_order_relaxed) ||
           (page_poison && config.poison_value() != 0);
  }
};

/// Bounds of one queue's share of a pass, so that no guest's chain holds up another's.
inline constexpr std::size_t kPagesPerPass = 1024;               // page numbers
inline constexpr std::uint64_t kReportBytesPerPass = 32 * kMiB;  // reported memory
inline constexpr unsigned kBuffersPerPass = 64;                  // where buffers are small
inline constexpr std::uint32_t kHopsPerPass = 1024;              // descriptors, full or empty

class QueueHandler {
 public:
  QueueHandler(Ring ring, const DeviceContext& context) noexcept
      : ring_(std::move(ring)), context_(context) {}
  virtual ~QueueHandler() = default;

  /// Whether serve() would do anything: a few loads, no call into the kernel.
  [[nodiscard]] virtual bool has_work() const noexcept = 0;

  /// Takes what is available up to the bound of a pass. Buffers whose effect is guaranteed are
  /// finished, the others held; the data path publishes, and lets go of the held ones.
  virtual void serve() noexcept = 0;

  /// Buffers held until their pages are gone; null for a queue that never holds any.
  [[nodiscard]] virtual HeldBuffers* held() noexcept { return nullptr; }

  /// Finishes the held buffers whose fence is passed.
  void let_go() noexcept {
    HeldBuffers* buffers = held();
    if (buffers == nullptr) return;
    while (const auto head = buffers->release(context_.reclaimer)) ring_.finish(*head);
  }

  [[nodiscard]] Ring& ring() noexcept { return ring_; }
  [[nodiscard]] const Ring& ring() const noexcept { return ring_; }

 protected:
  void count_fault(const virtq::ChainWalk& walk) noexcept {
    if (walk.fault() != virtq::ChainFault::kNone) context_.counters.bad_chains.add(1);
  }

  Ring ring_;
  const DeviceContext& context_;
};

}  // namespace vballoon::datapath
