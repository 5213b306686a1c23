// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/call_guard.hpp - a thread that releases threads which wait in a call that a VMM made to
//                          block, and takes the lcore from a thread that stands still in a VM's
//                          memory (lcore/crew.hpp).
// Thread: its own. The poll lcore may be the thread that waits, and the control thread may wait for
//         the poll lcore.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace vballoon::lcore {

class Crew;

class CallGuard {
 public:
  /// @param crew  outlives this object.
  explicit CallGuard(lcore::Crew& crew);
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

 private:
  void run(const std::stop_token& stop);

  lcore::Crew& crew_;
  std::mutex mutex_;
  std::condition_variable_any sleep_;
  std::jthread thread_;  // last: the thread uses the other members
};

}  // namespace vballoon::lcore
