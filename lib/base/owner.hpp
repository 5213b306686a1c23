// SPDX-License-Identifier: BSD-3-Clause
//
// base/owner.hpp - which thread may use an object that one thread has at a time.
//
// A data path is its poll lcore's while it is attached there, and is guarded by its device's lock
// else. Nothing in it locks, so a call from the wrong thread corrupts it silently: VB_OWNED says
// before a function's first line whose it is. The checks are compiled in where meson's option
// owner_checks says so: by default with sanitizers and in debug builds.
#pragma once

#include <atomic>
#include <cstddef>

#include "base/check.hpp"

namespace vballoon {

class Owner {
 public:
#ifdef VBALLOON_OWNER_CHECKS
  static constexpr bool kChecked = true;
#else
  static constexpr bool kChecked = false;
#endif

  /// From now on it is the calling thread's alone. The thread that had it, if one did, has lost it.
  void take() noexcept {
    thread_.store(this_thread(), std::memory_order_relaxed);
  }
  /// From now on it is no thread's: whoever holds the lock that guards it may use it.
  void release() noexcept {
    thread_.store(nullptr, std::memory_order_relaxed);
  }

  /// Whether the calling thread may use it. Relaxed, as the stores are: what hands an object over
  /// orders the two threads, and a data race must not be hidden from ThreadSanitizer by its check.
  [[nodiscard]] bool may_use() const noexcept {
    const void* const thread = thread_.load(std::memory_order_relaxed);
    return thread == nullptr || thread == this_thread();
  }

 private:
  /// An address that no other thread has meanwhile.
  [[nodiscard]] static const void* this_thread() noexcept {
    static thread_local const std::byte here{};
    return &here;
  }

  std::atomic<const void*> thread_{nullptr};  // set by the thread that takes or releases it
};

/// Of what no thread has for itself.
inline constexpr Owner kUnowned{};

}  // namespace vballoon

/// Ends the process where the calling thread may not use what this owner owns.
#define VB_OWNED(owner)                                                                        \
  do {                                                                                         \
    if constexpr (::vballoon::Owner::kChecked) {                                               \
      if (!(owner).may_use()) [[unlikely]] {                                                   \
        ::vballoon::check_failed("used by a thread that does not own it", __FILE__, __LINE__); \
      }                                                                                        \
    }                                                                                          \
  } while (false)
