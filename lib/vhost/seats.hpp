// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/seats.hpp - the poll lcore and the reclaim lcore that serve each device.
// Thread: counts are atomic, because the control thread and the vhost event thread change them. The
//         device's lock guards the device's Seat.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <vector>

#include "vhost/settings.hpp"

namespace vballoon::vhost {

class Seats {
 public:
  Seats(const std::vector<PollSeat>& pollers, const std::vector<unsigned>& worker_nodes);

 private:
  friend class Seat;
  struct Place {
    lcore::Poller* poller = nullptr;  // null for a reclaim lcore
    unsigned node = 0;
    std::atomic<unsigned> devices{0};
  };
  using Places = std::deque<Place>;  // atomics do not move

  Places pollers_;
  Places workers_;
};

/// The lcores of one device, as long as the device exists: the lcore with the fewest devices, near
/// the guest's memory once that is known; or the lcore to which the operator moved the device.
class Seat {
 public:
  explicit Seat(Seats& seats);
  ~Seat();
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  [[nodiscard]] lcore::Poller& poller() const noexcept { return *poller_->poller; }
  /// The number of the device's reclaim lcore; 0 where there are none.
  [[nodiscard]] unsigned worker() const noexcept { return worker_; }

  // @pre of the functions below: the device is not attached.

  /// Moves the device to an lcore of this node, on which its memory is, if there is one. No effect
  /// after move_to().
  void prefer_node(unsigned node);
  /// @return false when there is no such poll lcore.
  [[nodiscard]] bool move_to(unsigned lcore);

 private:
  void sit(Seats::Place& poller, unsigned node);

  Seats& seats_;
  Seats::Place* poller_ = nullptr;
  unsigned worker_ = 0;
  bool chosen_ = false;  // the operator chose the poll lcore
};

}  // namespace vballoon::vhost
