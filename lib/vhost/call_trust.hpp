// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/call_trust.hpp - whether a VMM's call descriptor is written to.
// Why:    a call that was made to block cost all VMs of its lcore up to two turns of CallGuard; how
//         often is not for the VMM to choose, on this connection nor on the next ones.
// Thread: the device's lock guards all of it.
#pragma once

#include <chrono>
#include <cstdint>

#include "datapath/counters.hpp"
#include "vm/notices.hpp"

namespace vballoon::vhost {

class CallTrust {
 public:
  /// Both outlive this.
  CallTrust(const datapath::DeviceCounters& counters, vm::Notices& notices) noexcept
      : counters_(counters), notices_(notices) {}

  /// @param index  of the ring that is about to start. @param fd  negative: there is none.
  /// @return fd, or -1 after a word in the log.
  [[nodiscard]] int judge(unsigned index, int fd);

 private:
  const datapath::DeviceCounters& counters_;
  vm::Notices& notices_;
  std::chrono::steady_clock::time_point no_calls_until_{};
  std::uint64_t blocked_ = 0;  // calls, as last seen
};

}  // namespace vballoon::vhost
