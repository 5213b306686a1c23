// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/room.hpp - how many devices and connections librte_vhost has room for.
// Thread: any.
// Why:    the table of librte_vhost's event thread has 1024 entries (MAX_FDS, lib/vhost/fd_man.h).
//         The thread's own pipe takes one, and each gate one. An entry that is given up in a round
//         of the event thread is free only after that round. When the table is full in the middle
//         of a round, librte_vhost moves entries while the thread walks over them (22.11). So the
//         table is never filled. In a round each gate lets one VMM in. A device in client mode may
//         lose its connection and be connected again, so it counts as two entries.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "vhost/settings.hpp"

namespace vballoon::vhost {

class Room {
 public:
  static constexpr unsigned kEntries = 1024;
  static constexpr unsigned kGates = 8;  // one for each set of features
  static constexpr unsigned kConnections = kEntries - 1 - 2 * kGates;
  static constexpr unsigned kOfAClient = 2;

  /// @param servers, clients  the numbers of devices, those to be added included.
  /// @errors kUnavailable, with the limit and its reason.
  [[nodiscard]] static Result<void> check(unsigned servers, unsigned clients);

  /// Looks at DPDK's own memory, in which librte_vhost keeps a VM's rings.
  /// @return a text for the operator where that memory is about to run out.
  [[nodiscard]] static std::optional<std::string> short_of_memory();

  /// Keeps entries for devices in client mode. The others may be connections of gates.
  void keep_for_clients(unsigned clients) noexcept { clients_.store(clients * kOfAClient); }

  [[nodiscard]] bool left() const noexcept {
    return connections_.load() + clients_.load() < kConnections;
  }
  void take() noexcept { connections_.fetch_add(1); }
  void give_back() noexcept { connections_.fetch_sub(1); }
  /// @return the number of connections through gates.
  [[nodiscard]] unsigned taken() const noexcept { return connections_.load(); }

 private:
  std::atomic<unsigned> connections_{0};  // through gates
  std::atomic<unsigned> clients_{0};
};

static_assert(Room::kConnections > kMaxDevices, "a VMM that comes back needs an entry, too");

}  // namespace vballoon::vhost
