// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/fd_reserve.hpp - file descriptors that are kept for the VMs that are here already.
// Thread: any; locked.
// Why:    the kernel does not hold back the descriptors of a message for which none is free: they
//         are gone, and with them the VM's new memory. So nobody comes in for whom there is no
//         room, and a message that brings descriptors finds some free.
// Source: getrlimit(2), RLIMIT_NOFILE; unix(7), MSG_CTRUNC.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace vballoon::vhost {

class FdReserve {
 public:
  /// For one message: eight regions, librte_vhost's descriptors of them and ours, and a few more.
  static constexpr std::size_t kHeld = 24;
  /// What a VM takes in the end: its connection twice, its process, five rings with a kick, a call
  /// (twice) and an error each, the backend channel, and some regions twice.
  static constexpr std::size_t kOfAVm = 32;

  /// Takes back what open() gave. @return whether all of it is held.
  /// @pre  No message is in hand.
  bool fill() noexcept;
  /// Likewise, unless a message may be in hand: it was opened just now.
  void fill_again() noexcept;
  /// Until the next fill() there is room for one message.
  void open() noexcept;
  /// Whether as many are free, beside the reserve.
  [[nodiscard]] bool leaves(std::size_t descriptors) noexcept;

  /// The process's.
  [[nodiscard]] static FdReserve& get() noexcept;

 private:
  bool fill_locked() noexcept;

  std::mutex mutex_;
  std::chrono::steady_clock::time_point opened_{};
  UniqueFd pattern_;
  std::vector<int> held_;
};

/// For the operator: that none is left, and what to do.
[[nodiscard]] std::string no_descriptors_left();

}  // namespace vballoon::vhost
