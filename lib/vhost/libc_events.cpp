// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_events.cpp - poll(2), epoll_ctl(2) and epoll_wait(2) in place of the C library's:
//                         the program's symbols come first. Calls that are not librte_vhost's go on
//                         to the kernel unchanged.
// Thread: the vhost event thread, and any other.
// Why:    librte_vhost 22.11 gives poll(2) numbers of descriptors, so a socket that takes another
//         one's number is waited for without more ado. From 24.11 on it has a set of epoll(7). An
//         entry of it is of a socket and a number together, and outlives the number while the
//         socket has another one. So the entry is taken out first, and put in again for the other
//         socket: for that the set and the event have to be known.
// Source: DPDK lib/vhost/fd_man.c, fdset_event_dispatch() (22.11 to 26.07), fdset_add() (24.11 to
//         26.07); epoll(7), "Questions and answers".
#include "vhost/libc_events.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <mutex>

#include "base/check.hpp"
#include "base/in_hand.hpp"
#include "vhost/event_thread.hpp"
#include "vhost/exchanges.hpp"
#include "vhost/libc_calls.hpp"

namespace vballoon::vhost {
namespace {

std::atomic<bool> in_a_hurry{false};
constexpr int kHurryMs = 5;

/// In which set a connection was put, and for what; without an event in none.
struct Awaited {
  int set;
  epoll_event event;
};
// By the connection's number. Pages that nobody uses are not there.
std::array<Awaited, kConnectionNumbers> awaited{};
std::mutex mutex;  // guards `awaited`

bool is_connection(int fd) noexcept {
  return fd >= 0 && static_cast<std::size_t>(fd) < awaited.size() &&
         (fd == last_accepted() || fd == last_connected());
}

void note(int set, int fd, const epoll_event& event) noexcept {
  const std::scoped_lock lock(mutex);
  awaited[static_cast<std::size_t>(fd)] = {set, event};
}

Awaited noted(int number) noexcept {
  const std::scoped_lock lock(mutex);
  const auto index = static_cast<std::size_t>(number);
  return index < awaited.size() ? awaited[index] : Awaited{};
}

/// Whatever message the event thread had in hand is done with.
void note_wait() noexcept {
  if (on_event_thread()) InHand::set(nullptr);
}

}  // namespace

int give_number(int connection, int number) noexcept {
  Awaited now = noted(number);
  // A number that is in no set, or is no longer: that of librte_vhost 22.11.
  const bool in_set =
      now.event.events != 0 && ::epoll_ctl(now.set, EPOLL_CTL_DEL, number, nullptr) == 0;
  if (::dup3(connection, number, O_CLOEXEC) < 0) return errno;
  if (in_set && ::epoll_ctl(now.set, EPOLL_CTL_ADD, number, &now.event) != 0) return errno;
  return 0;
}

void hurry_event_thread(bool on) noexcept {
  in_a_hurry.store(on, std::memory_order_relaxed);
}

}  // namespace vballoon::vhost

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer learns from them which thread waited for which.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __interceptor_epoll_ctl(int set, int operation, int fd, epoll_event* event);
extern "C" int __interceptor_epoll_wait(int set, epoll_event* events, int most, int timeout);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
#endif

extern "C" int epoll_ctl(int set, int operation, int fd, epoll_event* event) noexcept {
  // Before the call: from then on the event thread may be woken.
  if (operation == EPOLL_CTL_ADD && event != nullptr && vballoon::vhost::is_connection(fd)) {
    vballoon::vhost::note(set, fd, *event);
  }
#ifdef __SANITIZE_THREAD__
  return __interceptor_epoll_ctl(set, operation, fd, event);
#else
  return static_cast<int>(::syscall(SYS_epoll_ctl, set, operation, fd, event));
#endif
}

extern "C" int epoll_wait(int set, epoll_event* events, int most, int timeout) {
  vballoon::vhost::note_wait();
#ifdef __SANITIZE_THREAD__
  return __interceptor_epoll_wait(set, events, most, timeout);
#else
  return static_cast<int>(::syscall(SYS_epoll_wait, set, events, most, timeout));
#endif
}

// As librte_vhost of a distribution calls poll(2).
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __poll_chk(pollfd* fds, nfds_t count, int timeout, std::size_t bytes) {
  VB_CHECK(count <= bytes / sizeof(pollfd));
  vballoon::vhost::note_wait();
  const bool hurry = vballoon::vhost::in_a_hurry.load(std::memory_order_relaxed);
  return ::poll(fds, count,
                hurry && timeout > vballoon::vhost::kHurryMs ? vballoon::vhost::kHurryMs : timeout);
}
