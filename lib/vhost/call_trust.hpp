// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/call_trust.hpp - judges whether a VMM's call descriptor is written to.
// Why:    a call that a VMM makes block costs all VMs of its lcore time, until the second look of
//         CallGuard. The VMM must not choose how often, on this connection or the next ones.
// Thread: the device's lock guards all of it.
#pragma once

#include <chrono>
#include <cstdint>

#include "datapath/counters.hpp"
#include "vm/notices.hpp"

namespace vballoon::vhost {

class CallTrust {
 public:
  /// Both arguments outlive this object.
  CallTrust(const datapath::DeviceCounters& counters, vm::Notices& notices) noexcept
      : counters_(counters), notices_(notices) {}

  /// @param index  the ring that is about to start.
  /// @param fd     its call descriptor; negative: there is none.
  /// @return fd; -1 where the driver is not to be called, and the log says why, or where there is
  ///         no descriptor.
  [[nodiscard]] int judge(unsigned index, int fd);

 private:
  const datapath::DeviceCounters& counters_;
  vm::Notices& notices_;
  std::chrono::steady_clock::time_point no_calls_until_{};
  std::uint64_t blocked_ = 0;  // how many calls had blocked at the last judge()
};

}  // namespace vballoon::vhost
