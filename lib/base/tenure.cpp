// SPDX-License-Identifier: BSD-3-Clause
#include "base/tenure.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vballoon {
namespace {

bool membarrier(int command) noexcept {
  return ::syscall(SYS_membarrier, command, 0, 0) == 0;
}

}  // namespace

void Tenure::renew() noexcept {
  const std::scoped_lock lock(mutex_);
  at_.store(nullptr, std::memory_order_release);
  contested_.store(false, std::memory_order_relaxed);
  lost_ = false;
}

/// Waits for the guard to make up its mind.
bool Tenure::keeps() noexcept {
  const std::scoped_lock lock(mutex_);
  return !lost_;
}

bool Tenure::pass_barriers() noexcept {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return registered && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

}  // namespace vballoon
