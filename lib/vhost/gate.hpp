// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/gate.hpp - the one socket of librte_vhost's through which the VMMs of many devices come.
// Thread: any opens and closes; the vhost event thread accepts.
// Why:    librte_vhost waits for at most 1024 descriptors, its listening sockets among them: with
//         one for each device it is full at 511 VMs. So the listening sockets are ours, in a set of
//         epoll(7), and what librte_vhost takes for its listening socket is the descriptor of that
//         set: readable when a VMM knocks anywhere. When librte_vhost accepts from it, the VMM's
//         connection is what it gets (libc_calls.cpp). All else of a connection is as librte_vhost
//         has it, on its own thread.
//         Features belong to a socket of librte_vhost's, so there is a gate for each set that is
//         offered: eight at most.
// Source: DPDK lib/vhost/socket.c, vhost_user_start_server() and
//         vhost_user_server_new_connection(); lib/vhost/fd_man.c, MAX_FDS (22.11 to 26.07).
#pragma once

#include <atomic>
#include <chrono>
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
  /// What the name of each begins with for librte_vhost, which unlinks it in the end: nobody can
  /// make a file there.
  static constexpr std::string_view kNames = "/proc/vballoon/";

  /// Registers it. @param room  of all gates.
  /// @errors kHost with the reason.
  [[nodiscard]] static Result<std::unique_ptr<Gate>> open(wire::Features offered, Room& room);
  /// Ends its connections, without any callback.
  ~Gate() override;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Listens there from now on, but lets nobody in before admit().
  /// @errors kHost with the reason.
  [[nodiscard]] Result<void> watch(const Listener& listener);
  /// VMMs that knock there are this device's.
  void admit(const Listener& listener, std::shared_ptr<BalloonDevice> device);
  /// From the return on nobody knocks there at that device, nor at all unless it is admitted again.
  void bar(const Listener& listener);
  /// The opposite of watch().
  void forget(const Listener& listener);

  /// Those who had to wait for room try again.
  void try_again();

 private:
  struct Door {
    std::shared_ptr<BalloonDevice> device;  // null: barred
    bool waits = false;                     // somebody knocked, and there was no room
  };

  Gate(std::string name, UniqueFd set, Room& room);
  [[nodiscard]] int accept() noexcept override;
  [[nodiscard]] int accept_from(int listener, Door& door);
  [[nodiscard]] bool short_of_descriptors();
  void wait(int listener, Door& door, const std::string& why);
  void arm(int listener, bool on) noexcept;

  const std::string name_;
  UniqueFd set_;
  Room& room_;
  std::mutex mutex_;  // of what follows
  std::unordered_map<int, Door> doors_;
  std::chrono::steady_clock::time_point short_until_{};
  std::atomic<bool> any_waits_{false};
  LogGate log_gate_;
};

struct Visitor {
  std::shared_ptr<BalloonDevice> device;
  Room* room = nullptr;
};

/// Whose VMM has just come through a gate, on this thread.
/// @pre  librte_vhost tells of a connection to a socket whose name begins with Gate::kNames.
[[nodiscard]] Visitor take_visitor();

}  // namespace vballoon::vhost
