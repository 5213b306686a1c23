// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/seats.hpp - which poll lcore, and which reclaim lcore, each device is served by.
// Thread: counts are atomic, for seats are taken and left by the control thread and by the vhost
//         event thread; a Seat itself is guarded by its device's lock.
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

/// The place of one device, from its first day on. The least loaded one, near its memory once that
/// is known; where the operator put it, if he did.
class Seat {
 public:
  explicit Seat(Seats& seats);
  ~Seat();
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  [[nodiscard]] lcore::Poller& poller() const noexcept { return *poller_->poller; }
  /// Number of its reclaim lcore; 0 where there are none.
  [[nodiscard]] unsigned worker() const noexcept { return worker_; }

  // @pre for all below: the device is attached to no poll lcore.

  /// Its memory is on this node: moves there, unless it is there or the operator chose.
  void prefer_node(unsigned node);
  /// @return false when there is no such poll lcore.
  [[nodiscard]] bool move_to(unsigned lcore);

 private:
  void sit(Seats::Place& poller, unsigned node);

  Seats& seats_;
  Seats::Place* poller_ = nullptr;
  unsigned worker_ = 0;
  bool chosen_ = false;  // by the operator
};

}  // namespace vballoon::vhost
