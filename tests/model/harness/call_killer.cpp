// SPDX-License-Identifier: BSD-3-Clause
#include "call_killer.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "driver/process_figures.hpp"

namespace vballoon::model {
namespace {

constexpr std::array<std::string_view, 2> kEventThread{"vhost-events", "dpdk-vhost-evt"};
constexpr int kCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr int kEventShift = 16;

std::string name_of(pid_t process, pid_t thread) {
  std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) +
                     "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

void wake(int) {}

/// waitpid(2) is to return when it comes, and not to go on.
void let_signal_wake() {
  struct sigaction action {};
  action.sa_handler = wake;
  ::sigaction(SIGUSR2, &action, nullptr);
}

}  // namespace

std::unique_ptr<CallKiller> CallKiller::in_events(pid_t daemon, unsigned place) {
  std::unique_ptr<CallKiller> killer(new CallKiller(place));
  const auto thread = driver::thread_named(daemon, kEventThread);
  if (!thread) throw std::runtime_error("the daemon has no vhost event thread");
  killer->daemon_ = daemon;
  killer->begin(std::stoi(thread->filename()), PTRACE_O_TRACESYSGOOD, true);
  return killer;
}

std::unique_ptr<CallKiller> CallKiller::in_restore(pid_t keeper, unsigned place) {
  std::unique_ptr<CallKiller> killer(new CallKiller(place));
  killer->keeper_ = keeper;
  killer->begin(keeper, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE, false);
  return killer;
}

void CallKiller::begin(pid_t first, int options, bool counted) {
  let_signal_wake();
  threads_[first] = counted ? Interest::kCounted : Interest::kNone;
  tracer_ = std::thread([this, first, options] {
    trace(first, options);
    over_ = true;
  });
  while (!begun_ && !over_) std::this_thread::yield();
  if (begun_) return;
  let_go();
  throw std::runtime_error(error_);
}

/// Where its thread ends, the kernel lets go of all that it traces.
void CallKiller::let_go() noexcept {
  end_ = true;
  while (tracer_.joinable() && !over_) {
    ::pthread_kill(tracer_.native_handle(), SIGUSR2);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  if (tracer_.joinable()) tracer_.join();
}

void CallKiller::trace(pid_t first, int options) {
  if (::ptrace(PTRACE_SEIZE, first, nullptr, options) != 0) {
    error_ = std::string("ptrace: ") + std::strerror(errno);
    return;
  }
  if (threads_[first] == Interest::kCounted) ::ptrace(PTRACE_INTERRUPT, first, nullptr, nullptr);
  bool stopped = threads_[first] != Interest::kCounted;
  while (!end_ && victim_ < 0) {
    if (stopped) begun_ = true;
    int status = 0;
    // What other threads of the test started is not waited for here.
    const pid_t thread = ::waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (thread < 0 && errno != EINTR) return;
    if (thread < 0) continue;
    if (WIFSTOPPED(status)) {
      on_stop(thread, status);
      stopped = true;
    } else {
      threads_.erase(thread);
    }
  }
}

void CallKiller::on_stop(pid_t thread, int status) {
  const int signal = WSTOPSIG(status);
  const int event = status >> kEventShift;
  if (signal == kCallStop) return on_call(thread);
  if (event == PTRACE_EVENT_FORK && thread == keeper_) {
    unsigned long child = 0;
    ::ptrace(PTRACE_GETEVENTMSG, thread, nullptr, &child);
    daemon_ = static_cast<pid_t>(child);
    ::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
    return;
  }
  go_on(thread, event == 0 ? signal : 0);
}

void CallKiller::on_call(pid_t thread) {
  Interest& interest = threads_[thread];
  if (interest == Interest::kUnknown) interest = interest_in(thread);
  if (interest == Interest::kCounted && ++places_ == place_) {
    victim_ = daemon_;
    ::kill(daemon_, SIGKILL);
    return;
  }
  go_on(thread, 0);
}

/// A thread gets its name only after its first calls.
CallKiller::Interest CallKiller::interest_in(pid_t thread) const {
  if (thread == daemon_) return takes_up(thread) ? Interest::kCounted : Interest::kUnknown;
  const std::string name = name_of(daemon_, thread);
  for (const std::string_view wanted : kEventThread) {
    if (name == wanted) return Interest::kCounted;
  }
  return name == name_of(daemon_, daemon_) ? Interest::kUnknown : Interest::kNone;
}

/// The first that it does with what is kept is to ask what kind of socket it is.
bool CallKiller::takes_up(pid_t thread) {
  __ptrace_syscall_info call{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(call), &call) <= 0) return false;
  return call.op == PTRACE_SYSCALL_INFO_ENTRY && call.entry.nr == SYS_getsockopt &&
         call.entry.args[2] == SO_TYPE;
}

void CallKiller::go_on(pid_t thread, int signal) const {
  const auto known = threads_.find(thread);
  const bool stops = known == threads_.end() || known->second != Interest::kNone;
  ::ptrace(stops ? PTRACE_SYSCALL : PTRACE_CONT, thread, nullptr, signal);
}

}  // namespace vballoon::model
