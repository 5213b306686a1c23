// SPDX-License-Identifier: BSD-3-Clause
//
// tests/model/harness/call_killer.hpp - kills a daemon between two of its system calls.
// Thread: one of its own, which traces; its caller goes on meanwhile.
// Why:    whatever outlives a process changes in system calls, or in memory between two of them. So
//         each call has two places, before and after it, and who killed a daemon at all of them has
//         seen every state that another process can see.
// Source: ptrace(2), PTRACE_SEIZE, "Syscall-stops"; a place is one such stop.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace vballoon::model {

class CallKiller {
 public:
  static constexpr unsigned kNever = std::numeric_limits<unsigned>::max();

  /// Traces the vhost event thread of this daemon, and kills the daemon at this place of it.
  /// @param place  counted from now on, from 1.
  /// @errors throws where nothing can be traced.
  [[nodiscard]] static std::unique_ptr<CallKiller> in_events(pid_t daemon, unsigned place);
  /// The same of the next daemon that this keeper starts: of its main thread, from where it takes
  /// up what is kept, and of its vhost event thread.
  [[nodiscard]] static std::unique_ptr<CallKiller> in_restore(pid_t keeper, unsigned place);
  ~CallKiller() { let_go(); }
  CallKiller(const CallKiller&) = delete;
  CallKiller& operator=(const CallKiller&) = delete;

  /// From here on nothing is killed.
  void let_go() noexcept;
  /// Places that there were.
  [[nodiscard]] unsigned places() const noexcept { return places_; }
  /// The daemon that was killed, or -1.
  [[nodiscard]] pid_t victim() const noexcept { return victim_; }

 private:
  enum class Interest { kUnknown, kNone, kCounted };

  explicit CallKiller(unsigned place) noexcept : place_(place) {}
  void begin(pid_t first, int options, bool counted);
  void trace(pid_t first, int options);
  void on_stop(pid_t thread, int status);
  void on_call(pid_t thread);
  void go_on(pid_t thread, int signal) const;
  [[nodiscard]] Interest interest_in(pid_t thread) const;
  [[nodiscard]] static bool takes_up(pid_t thread);

  const unsigned place_;
  pid_t keeper_ = -1;
  pid_t daemon_ = -1;
  std::map<pid_t, Interest> threads_;
  std::string error_;
  std::atomic<unsigned> places_{0};
  std::atomic<pid_t> victim_{-1};
  std::atomic<bool> begun_{false};
  std::atomic<bool> end_{false};
  std::atomic<bool> over_{false};
  std::thread tracer_;
};

}  // namespace vballoon::model
