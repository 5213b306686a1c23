// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/device_queue.hpp - what all queues of the device have, whatever their buffers mean.
//
// A queue kind is a class of its own, derived from one of the two here, and has beside what it
// inherits
//   bool has_work() const noexcept   whether serve() would do anything: a few loads
//   void serve() noexcept            takes what is available, up to the bound of a pass
//   static constexpr bool kComesAlone
// The data path knows each kind by its type (queues.hpp), so none of these is a virtual call.
#pragma once

#include <utility>

#include "datapath/device_context.hpp"
#include "datapath/held_buffers.hpp"
#include "datapath/ring.hpp"

namespace vballoon::datapath {

/// Each buffer is finished when it was served. The data path publishes.
class DeviceQueue {
 public:
  /// Behind a buffer of this kind another one comes; a guest sends statistics and messages singly.
  static constexpr bool kComesAlone = false;

  DeviceQueue(Ring ring, const DeviceContext& context) noexcept
      : ring_(std::move(ring)), context_(context) {}
  DeviceQueue(const DeviceQueue&) = delete;
  DeviceQueue& operator=(const DeviceQueue&) = delete;

  [[nodiscard]] Ring& ring() noexcept { return ring_; }
  [[nodiscard]] const Ring& ring() const noexcept { return ring_; }
  /// What changes when has_work() may become true.
  [[nodiscard]] Watch watch() const noexcept { return ring_.watch(); }

 protected:
  ~DeviceQueue() = default;

  void count_fault(const virtq::ChainWalk& walk) noexcept {
    if (walk.fault() != virtq::ChainFault::kNone) context_.counters.bad_chains.add(1);
  }

  Ring ring_;
  const DeviceContext& context_;
};

/// Buffers may have to wait until their effect is guaranteed.
class HoldingQueue : public DeviceQueue {
 public:
  HoldingQueue(Ring ring, const DeviceContext& context)
      : DeviceQueue(std::move(ring), context), held_(ring_.size()) {}

  [[nodiscard]] const HeldBuffers& held() const noexcept { return held_; }

  /// What the unsealed buffers wait for is handed over: up to this fence.
  void seal(reclaim::Fence fence) noexcept { held_.seal(fence); }

  /// Finishes the held buffers whose fence is passed.
  void let_go() noexcept {
    while (const auto head = held_.release(context_.reclaimer.handover())) ring_.finish(*head);
  }

 protected:
  ~HoldingQueue() = default;

  HeldBuffers held_;
};

}  // namespace vballoon::datapath
