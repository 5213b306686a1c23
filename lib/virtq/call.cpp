// SPDX-License-Identifier: BSD-3-Clause
#include "virtq/call.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string_view>

namespace vballoon::virtq {
namespace {

/// A thread that calls drivers, and whether it is in the middle of it.
struct Caller {
  std::atomic<std::uint64_t> turn{0};  // odd: in a call. Written by the thread, release
  std::atomic<pthread_t> thread{};     // of meaning while the turn is odd
  std::uint64_t seen = 0;              // by release_held_calls()
};
/// DPDK has 128 lcores at most; rings are started by one thread more. Others, of tests, are not
/// released.
constexpr std::size_t kCallers = 256;
std::array<Caller, kCallers> callers;
std::atomic<std::size_t> callers_used{0};

Caller& this_thread() noexcept {
  thread_local Caller one_too_many;
  thread_local Caller* mine = nullptr;
  if (mine == nullptr) {
    const std::size_t index = callers_used.fetch_add(1, std::memory_order_relaxed);
    mine = index < kCallers ? &callers[index] : &one_too_many;
    mine->thread.store(::pthread_self(), std::memory_order_relaxed);
  }
  return *mine;
}

/// While it lives, the thread can be released.
class InCall {
 public:
  InCall() noexcept : caller_(this_thread()) { step(); }
  ~InCall() { step(); }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

 private:
  void step() noexcept {
    const std::uint64_t turn = caller_.turn.load(std::memory_order_relaxed);
    caller_.turn.store(turn + 1, std::memory_order_release);
  }
  Caller& caller_;
};

Call::Kind kind_of(int fd) {
  if (fd < 0) return Call::Kind::kOther;
  std::array<char, 64> target{};
  const auto link = fmt::format("/proc/self/fd/{}", fd);
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length < 0) return Call::Kind::kOther;
  const std::string_view name(target.data(), static_cast<std::size_t>(length));
  if (name == "anon_inode:[eventfd]") return Call::Kind::kEventfd;
  int domain = 0;
  socklen_t size = sizeof(domain);
  const bool local = name.starts_with("socket:[") &&
                     ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
                     domain == AF_UNIX;
  return local ? Call::Kind::kSocket : Call::Kind::kOther;
}

/// An eventfd has no other way not to wait than the flag, which the VMM's event loop sets as well.
UniqueFd take(int fd, Call::Kind kind) noexcept {
  if (kind == Call::Kind::kOther) return UniqueFd();
  UniqueFd own = UniqueFd::duplicate(fd);
  if (kind == Call::Kind::kSocket) return own;
  const int flags = ::fcntl(own.get(), F_GETFL);
  if (flags < 0 || ::fcntl(own.get(), F_SETFL, flags | O_NONBLOCK) != 0) return UniqueFd();
  return own;
}

void do_nothing(int) {}

/// Without SA_RESTART: what is interrupted ends.
void expect_signal() noexcept {
  struct sigaction nothing {};
  nothing.sa_handler = do_nothing;
  ::sigaction(SIGUSR2, &nothing, nullptr);
}

}  // namespace

Call::Call(int fd) noexcept : kind_(kind_of(fd)), fd_(take(fd, kind_)) {}

bool Call::fits(int fd) noexcept {
  return kind_of(fd) != Kind::kOther;
}

Call::Sent Call::signal() noexcept {
  if (!fd_.valid()) return Sent::kNobody;
  const std::uint64_t one = 1;
  if (kind_ == Kind::kSocket) {
    static_cast<void>(::send(fd_.get(), &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL));
    return Sent::kCalled;
  }
  bool released = false;
  {
    const InCall here;
    released = ::write(fd_.get(), &one, sizeof(one)) < 0 && errno == EINTR;
  }
  if (!released) return Sent::kCalled;
  fd_.reset();
  return Sent::kHeldUp;
}

void release_held_calls() noexcept {
  static const bool expected = (expect_signal(), true);
  static_cast<void>(expected);
  for (Caller& caller : callers) {
    const std::uint64_t turn = caller.turn.load(std::memory_order_acquire);
    const bool held = turn % 2 == 1 && turn == caller.seen;
    caller.seen = turn;
    if (held) ::pthread_kill(caller.thread.load(std::memory_order_relaxed), SIGUSR2);
  }
}

}  // namespace vballoon::virtq
