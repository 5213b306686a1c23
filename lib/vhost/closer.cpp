// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/closer.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

namespace vballoon::vhost {
namespace {

thread_local unsigned nested = 0;

class Closer {
 public:
  void take(int fd) {
    const std::scoped_lock lock(mutex_);
    // Started with the first descriptor: by then signal mask and cpus, which the thread inherits,
    // are set.
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    waiting_.push_back(fd);
    came_.notify_one();
  }

  /// A signal ends a wait for a peer, but no wait for a FUSE server.
  void hurry() noexcept {
    const std::uint64_t steps = steps_.load(std::memory_order_acquire);
    if (steps % 2 == 1 && steps == seen_) ::pthread_kill(thread_.native_handle(), SIGUSR2);
    seen_ = steps;
  }

 private:
  void run() noexcept {
    sigset_t others;
    ::sigfillset(&others);
    ::sigdelset(&others, SIGUSR2);
    ::pthread_sigmask(SIG_SETMASK, &others, nullptr);
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};  // as virtq/call.cpp has it; without SA_RESTART
    ::sigaction(SIGUSR2, &nothing, nullptr);
    ::pthread_setname_np(::pthread_self(), "vhost-closer");
    for (;;) {
      std::unique_lock lock(mutex_);
      came_.wait(lock, [this] { return !waiting_.empty(); });
      const int fd = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      steps_.fetch_add(1, std::memory_order_release);
      ::syscall(SYS_close, fd);
      steps_.fetch_add(1, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<int> waiting_;
  std::thread thread_;
  std::atomic<std::uint64_t> steps_{0};  // odd: in a close. Written by the thread, read by hurry()
  std::uint64_t seen_ = 0;               // steps_ at the last hurry()
};

/// Never destroyed, because its thread may be at work when the process ends.
Closer& closer() {
  static auto* const the_closer = new Closer;
  return *the_closer;
}

}  // namespace

CloseElsewhere::CloseElsewhere() noexcept {
  ++nested;
}
CloseElsewhere::~CloseElsewhere() {
  --nested;
}

bool CloseElsewhere::here() noexcept {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  // A sanitizer's run time closes files of its own by close(), with its locks held, so that no
  // thread can be started then.
  return false;
#else
  return nested != 0;
#endif
}

void close_elsewhere(int fd) {
  closer().take(fd);
}

void hurry_closer() noexcept {
  closer().hurry();
}

}  // namespace vballoon::vhost
