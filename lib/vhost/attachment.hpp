// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/attachment.hpp - which poll lcore serves a device's data path, and whether it does now.
// Invariant: while attached the data path is its lcore's; else it is of whoever holds the device.
// Thread: the device's lock guards all of it.
#pragma once

#include "datapath/data_path.hpp"
#include "vhost/seats.hpp"

namespace vballoon::vhost {

class Attachment {
 public:
  /// @param path  outlives this.
  Attachment(Seats& seats, datapath::DataPath& path) : path_(path), seat_(seats) {}

  /// From the return on the data path is the caller's. Waits for what is on its way to be
  /// discarded, never for a guest.
  void take_back();
  /// Back to its lcore, where a queue runs.
  void hand_over();

  /// Served by another lcore from now on. @return false where that does not poll.
  [[nodiscard]] bool move_to(unsigned lcore);
  /// See Seat. @pre taken back
  void prefer_node(unsigned node) { seat_.prefer_node(node); }
  [[nodiscard]] unsigned lcore() const noexcept { return seat_.poller().lcore(); }

 private:
  datapath::DataPath& path_;
  Seat seat_;
  bool attached_ = false;
};

}  // namespace vballoon::vhost
