// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/fd_reserve.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vballoon::vhost {

namespace {

/// The time that a message may take.
constexpr std::chrono::milliseconds kMessage{200};

/// Makes up to `most` descriptors, as many as are free. @return whether `most` were.
bool take(int pattern, std::size_t most, std::vector<int>* fds) {
  fds->reserve(most);
  while (fds->size() < most) {
    const int another = ::fcntl(pattern, F_DUPFD_CLOEXEC, 0);
    if (another < 0) return false;
    fds->push_back(another);
  }
  return true;
}

/// Closes them at once, and not by the closer (closer.hpp).
void give_back(std::vector<int>* fds) noexcept {
  for (const int fd : *fds) ::syscall(SYS_close, fd);
  fds->clear();
}

}  // namespace

bool FdReserve::fill() noexcept {
  const std::scoped_lock lock(mutex_);
  return fill_locked();
}

void FdReserve::fill_again() noexcept {
  const std::scoped_lock lock(mutex_);
  if (std::chrono::steady_clock::now() - opened_ >= kMessage) fill_locked();
}

bool FdReserve::fill_locked() noexcept {
  if (held_.size() == kHeld) return true;
  if (!pattern_.valid()) pattern_.reset(::eventfd(0, EFD_CLOEXEC));
  return take(pattern_.get(), kHeld, &held_);
}

void FdReserve::open() noexcept {
  const std::scoped_lock lock(mutex_);
  opened_ = std::chrono::steady_clock::now();
  give_back(&held_);
}

bool FdReserve::leaves(std::size_t descriptors) noexcept {
  if (!fill()) return false;
  std::vector<int> tried;
  const bool enough = take(pattern_.get(), descriptors, &tried);
  give_back(&tried);
  return enough;
}

FdReserve& FdReserve::get() noexcept {
  static FdReserve reserve;
  return reserve;
}

std::string no_descriptors_left() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return fmt::format(
      "the daemon has no file descriptor left (its limit is {}); raise it "
      "(LimitNOFILE= of the unit, ulimit -n)",
      limit.rlim_cur);
}

}  // namespace vballoon::vhost
