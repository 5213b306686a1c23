// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/call_guard.hpp"

#include <chrono>
#include <csignal>

#include "lcore/crew.hpp"
#include "virtq/call.hpp"

namespace vballoon::lcore {
namespace {

/// The time between two looks. A VMM holds up a call, or an lcore, for two of them at most.
constexpr std::chrono::milliseconds kPeriod{10};

}  // namespace

CallGuard::CallGuard(lcore::Crew& crew)
    : crew_(crew), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void CallGuard::run(const std::stop_token& stop) {
  // Only the control thread takes the operator's signals.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    virtq::release_held_calls();
    crew_.look();
    sleep_.wait_for(lock, stop, kPeriod, [] { return false; });
  }
}

}  // namespace vballoon::lcore
