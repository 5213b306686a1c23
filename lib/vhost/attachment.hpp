// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/attachment.hpp - attaches a device's data path to its poll lcore, and takes it back.
// Invariant: while attached, the data path is its poll lcore's; otherwise it belongs to the thread
//            that holds the device's lock.
// Thread: the device's lock guards all of it.
#pragma once

#include "datapath/data_path.hpp"
#include "vhost/seats.hpp"

namespace vballoon::vhost {

class Attachment {
 public:
  /// Both arguments outlive this object.
  Attachment(Seats& seats, datapath::DataPath& path) : path_(path), seat_(seats) {}

  /// Takes the data path off its lcore: when this returns, it is the caller's. Waits for batches
  /// that are on their way, never for a guest.
  void take_back();
  /// Attaches the data path to its lcore, if a queue runs.
  void hand_over();

  /// Moves the device to another lcore. @return false where that lcore does not poll.
  [[nodiscard]] bool move_to(unsigned lcore);
  /// As Seat::prefer_node(). @pre the data path is taken back
  void prefer_node(unsigned node) { seat_.prefer_node(node); }
  [[nodiscard]] unsigned lcore() const noexcept { return seat_.poller().lcore(); }

 private:
  datapath::DataPath& path_;
  Seat seat_;
  bool attached_ = false;
};

}  // namespace vballoon::vhost
