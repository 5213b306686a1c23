// SPDX-License-Identifier: BSD-3-Clause
//
// driver/ring_set.hpp - the virtqueues of one driver, started and stopped over vhost-user.
// Thread: one owner.
// Source: vhost-user protocol, "Starting and stopping rings".
#pragma once

#include <array>
#include <optional>

#include "base/result.hpp"
#include "driver/driver_queue.hpp"
#include "driver/queue_numbers.hpp"
#include "driver/vhost_user.hpp"

namespace vballoon::driver {

using QueueShapes = std::array<QueueShape, kRoles>;

class RingSet {
 public:
  /// A fresh queue for every role that has a number.
  /// @errors kInvalidArgument for a shape that cannot be, or an arena that is too small; kHost.
  [[nodiscard]] static Result<RingSet> create(const GuestRam& ram, Arena& arena,
                                              const QueueNumbers& numbers,
                                              const QueueShapes& shapes);

  /// Starts every ring where it was stopped, at first where rings begin.
  /// @param enable  send SET_VRING_ENABLE: needed if and only if PROTOCOL_FEATURES was
  /// acknowledged.
  Result<void> start(FrontEnd& front_end, bool enable);

  /// Stops every ring and keeps its base.
  /// @errors kInvalidArgument for a base that no device could truthfully answer.
  Result<void> stop(FrontEnd& front_end);

  /// The device went without a word: the next start() is to go on where the rings say it stood.
  /// @param told  the device knows that by itself (VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD), and the
  ///              base is what some front ends make of it then: the avail index.
  void abandon(bool told) noexcept;
  /// See DriverQueue.
  void excuse_missing_calls() noexcept;
  void expect_owed_calls(Deadline deadline) noexcept;
  [[nodiscard]] unsigned count() const noexcept;

  /// Null where the driver has no such queue.
  [[nodiscard]] DriverQueue* find(Role role) noexcept;
  [[nodiscard]] const DriverQueue* find(Role role) const noexcept;
  [[nodiscard]] std::optional<unsigned> number(Role role) const noexcept;
  [[nodiscard]] Violations violations() const noexcept;

 private:
  struct Ring {
    DriverQueue queue;
    unsigned number = 0;
    std::uint16_t base = 0;
  };

  RingSet() = default;
  static Result<void> start_ring(FrontEnd& front_end, const Ring& ring, bool enable);

  std::array<std::optional<Ring>, kRoles> rings_;
};

}  // namespace vballoon::driver
