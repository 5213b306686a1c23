// SPDX-License-Identifier: BSD-3-Clause
//
// base/tenure.hpp - how a thread that stands still in one VM's memory loses its seat.
// Thread: enter() and leave() are the seat's; the others say theirs.
//
// A VMM that holds the lock of its memory file makes a thread wait for seconds that touches the
// memory or punches holes into the file. No call tells that beforehand, and the wait cannot be
// called off. So work that serves several VMs belongs to a seat, which a thread has for a while.
// The thread names the VM before it touches the VM's memory, and steps back afterwards. From a
// thread that does not step back a guard takes the seat for another one; the first may touch from
// then on only what it named.
//
// The thread pays for that with plain stores and loads: it stores that it steps back and then loads
// whether the guard asks; the guard asks and then loads where the thread is. Neither may see the
// old value of the other. So between its two steps the guard makes every thread of the process pass
// a memory barrier: membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED.
#pragma once

#include <atomic>
#include <mutex>

namespace vballoon {

class Tenure {
 public:
  Tenure() = default;
  Tenure(const Tenure&) = delete;
  Tenure& operator=(const Tenure&) = delete;

  /// From here to leave() nothing is touched but what belongs to this VM and to the thread itself.
  void enter(const void* whose) noexcept {
    // Release: the seat's next thread sees the post as it is now; acquire is in at().
    at_.store(whose, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  /// @return false: the seat is another's now, and what was entered is all that is left.
  [[nodiscard]] bool leave() noexcept {
    at_.store(nullptr, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return !contested_.load(std::memory_order_relaxed) || keeps();
  }
  /// The thread begins anew, on another seat.
  void renew() noexcept;

  /// Any thread: what was entered and not yet left, or null.
  [[nodiscard]] const void* at() const noexcept { return at_.load(std::memory_order_acquire); }

  /// The guard. Ends the tenure of a thread that is in there now, whichever visit that is: the
  /// thread cannot leave any more without asking here.
  /// @param divide  () -> void: called then, while the thread cannot leave.
  /// @return whether it was ended. Never so on a kernel without that barrier (before Linux 4.14).
  template <typename Divide>
  bool end(const void* whose, Divide divide) noexcept {
    const std::scoped_lock lock(mutex_);
    contested_.store(true, std::memory_order_relaxed);
    lost_ = pass_barriers() && at() == whose;
    if (lost_) {
      divide();
    } else {
      contested_.store(false, std::memory_order_relaxed);
    }
    return lost_;
  }

 private:
  [[nodiscard]] bool keeps() noexcept;
  /// @return false where the kernel has none.
  [[nodiscard]] static bool pass_barriers() noexcept;

  std::atomic<const void*> at_{nullptr};
  std::atomic<bool> contested_{false};
  std::mutex mutex_;
  bool lost_ = false;  // by the mutex
};

}  // namespace vballoon
