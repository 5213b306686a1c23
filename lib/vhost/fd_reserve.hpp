// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/fd_reserve.hpp - file descriptors that are reserved for messages of connected VMs.
// Thread: any; a lock.
// Why:    when no descriptor is free, the kernel drops the descriptors of a message, and with them
//         the VM's new memory. So a VMM is not let in when there are too few descriptors for it,
//         and descriptors are free when a message brings some.
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
  /// The descriptors of one message: eight regions, each for librte_vhost and for this daemon, and
  /// a few more.
  static constexpr std::size_t kHeld = 24;
  /// The descriptors that a VM takes in the end: its connection twice, its process, the file of its
  /// answers, five rings with a kick, a call (twice) and an error each, the backend channel, and
  /// some regions twice. A connection that is kept for the next daemon takes kRecordDescriptors
  /// more.
  static constexpr std::size_t kOfAVm = 33;

  /// Takes the reserve again after open(). @return whether the reserve is complete.
  /// @pre  no message is being handled.
  bool fill() noexcept;
  /// Takes the reserve again, unless open() was so recent that a message may still be handled.
  void fill_again() noexcept;
  /// Frees the reserve: until the next fill() there are descriptors for one message.
  void open() noexcept;
  /// Whether so many descriptors are free beside the reserve.
  [[nodiscard]] bool leaves(std::size_t descriptors) noexcept;

  /// The reserve of this process.
  [[nodiscard]] static FdReserve& get() noexcept;

 private:
  bool fill_locked() noexcept;

  std::mutex mutex_;
  std::chrono::steady_clock::time_point opened_{};
  UniqueFd pattern_;
  std::vector<int> held_;
};

/// @return a text for the operator: no descriptor is left, and what to do.
[[nodiscard]] std::string no_descriptors_left();

}  // namespace vballoon::vhost
