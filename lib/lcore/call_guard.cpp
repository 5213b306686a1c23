// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/call_guard.hpp"

#include <chrono>
#include <csignal>

#include "lcore/crew.hpp"
#include "virtq/call.hpp"

namespace vballoon::lcore {
namespace {

/// A call that is held up is so for two of these at most, and so is an lcore.
constexpr std::chrono::milliseconds kTurn{10};

}  // namespace

CallGuard::CallGuard(lcore::Crew& crew)
    : crew_(crew), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void CallGuard::run(const std::stop_token& stop) {
  // The operator's signals are the control thread's.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    virtq::release_held_calls();
    crew_.look();
    sleep_.wait_for(lock, stop, kTurn, [] { return false; });
  }
}

}  // namespace vballoon::lcore
