// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/gate.hpp - one listening socket, for librte_vhost, through which the VMMs of many devices
//                  connect.
// Thread: any thread opens and closes; the vhost event thread accepts.
// Why:    librte_vhost waits for at most 1024 descriptors, its listening sockets included: with one
//         for each device it would be full at 511 VMs. So the daemon has the listening sockets, in
//         a set of epoll(7). librte_vhost takes the descriptor of the set for its listening socket.
//         That descriptor is readable when a VMM knocks at any of the sockets, and accept() on it
//         gives that VMM's connection (libc_calls.cpp). From then on librte_vhost serves the
//         connection as any other, on its own thread.
//         Features belong to a socket of librte_vhost's, so there is a gate for each set of
//         features that devices offer: eight at most.
// Source: DPDK lib/vhost/socket.c, vhost_user_start_server() and
//         vhost_user_server_new_connection(); lib/vhost/fd_man.c, MAX_FDS (22.11 to 26.07).
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vhost/balloon_device.hpp"
#include "vhost/libc_calls.hpp"
#include "vhost/listener.hpp"
#include "vhost/room.hpp"
#include "wire/features.hpp"

namespace vballoon::vhost {

class Gate final : private AcceptSource {
 public:
  /// The beginning of each gate's name. librte_vhost unlinks the name at the end, so the name is in
  /// a folder where no file can be.
  static constexpr std::string_view kNames = "/proc/vballoon/";

  /// Registers the gate with librte_vhost. @param room  shared by all gates.
  /// @errors kHost with the reason.
  [[nodiscard]] static Result<std::unique_ptr<Gate>> open(wire::Features offered, Room& room);
  /// Ends the gate's connections, without any callback.
  ~Gate() override;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Takes the listener into the set, but lets no VMM in before admit().
  /// @errors kHost with the reason.
  [[nodiscard]] Result<void> watch(const Listener& listener);
  /// From now on VMMs that knock at the listener get in, and belong to this device.
  void admit(const Listener& listener, std::shared_ptr<BalloonDevice> device);
  /// From the return on no VMM gets in by this listener, until the next admit().
  void bar(const Listener& listener);
  /// Takes the listener out of the set.
  void forget(const Listener& listener);

  /// librte_vhost accepts this connection of the device next, before any VMM that knocks.
  /// @errors kHost.
  [[nodiscard]] Result<void> bring(UniqueFd connection, std::shared_ptr<BalloonDevice> device);

  /// Lets VMMs try again that had to wait for room.
  void try_again();

 private:
  struct Door {
    std::shared_ptr<BalloonDevice> device;  // null: barred
    bool waits = false;                     // a VMM knocked when there was no room
  };

  Gate(std::string name, UniqueFd set, Room& room);
  [[nodiscard]] int accept() noexcept override;
  [[nodiscard]] int accept_brought() noexcept;
  [[nodiscard]] int accept_from(int listener, Door& door);
  [[nodiscard]] bool short_of_descriptors();
  void wait(int listener, Door& door, const std::string& why);
  void arm(int listener, bool on) noexcept;

  const std::string name_;
  UniqueFd set_;
  Room& room_;
  std::mutex mutex_;  // guards the members below
  std::unordered_map<int, Door> doors_;
  struct Brought {
    UniqueFd connection;
    std::shared_ptr<BalloonDevice> device;
  };
  std::deque<Brought> brought_;
  UniqueFd bell_;  // makes the set readable while any is there
  std::chrono::steady_clock::time_point short_until_{};
  std::atomic<bool> any_waits_{false};
  LogGate log_gate_;
};

struct Visitor {
  std::shared_ptr<BalloonDevice> device;
  Room* room = nullptr;
};

/// @return the device of the VMM that has just come through a gate on this thread.
/// @pre  librte_vhost announces a connection to a socket whose name begins with Gate::kNames.
[[nodiscard]] Visitor take_visitor();

}  // namespace vballoon::vhost
