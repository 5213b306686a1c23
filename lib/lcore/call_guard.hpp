// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/call_guard.hpp - a thread that lets go who waits in a call which a VMM made to block, and
//                          takes the lcore of who stands still in a VM's memory (lcore/crew.hpp).
// Thread: its own, for the poll lcore may be who waits, and the control thread may wait for that.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace vballoon::lcore {

class Crew;

class CallGuard {
 public:
  /// @param crew  outlives it.
  explicit CallGuard(lcore::Crew& crew);
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

 private:
  void run(const std::stop_token& stop);

  lcore::Crew& crew_;
  std::mutex mutex_;
  std::condition_variable_any sleep_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace vballoon::lcore
