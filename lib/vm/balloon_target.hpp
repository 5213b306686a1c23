// SPDX-License-Identifier: BSD-3-Clause
//
// vm/balloon_target.hpp - the size that the operator wants a VM's balloon to have, and what of it
//                         the guest that is connected is shown.
// Invariant: num_pages in config space is the wish as far as it leaves this guest enough, but for
//            the moments in which a driver is asked for its size. The wish itself stays: the next
//            VM on the socket may be larger.
// Thread: the device's lock guards all of it, but for due().
#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.hpp"
#include "vm/balloon.hpp"
#include "vm/guest.hpp"
#include "vm/notices.hpp"
#include "vm/size_question.hpp"
#include "vm/target.hpp"
#include "vm/vm.hpp"

namespace vballoon::vm {

class BalloonTarget {
 public:
  /// Begins with the wish that was kept. All of them outlive this.
  BalloonTarget(Balloon& balloon, const Guest& guest, wire::BitTwo bit_two, Notices& notices);

  /// As it was asked for, which may be more than the guest has.
  [[nodiscard]] const Target& wanted() const noexcept { return wanted_; }
  /// What of it a guest of this size is asked for.
  [[nodiscard]] std::uint32_t pages_of(std::uint64_t guest_bytes) const noexcept;
  [[nodiscard]] std::uint64_t guest_bytes() const noexcept;

  /// Another wish. It is kept, and shown. @errors as Vm::set_target().
  Result<TargetSet> set(const Target& target);
  /// The guest may be of another size.
  void show();
  /// As show(), where that makes a difference: what figures of a guest waver by is no news.
  void follow();
  /// To whatever driver there is. A new one has read it, but one that goes on may have read
  /// another.
  void tell();

  // --- The driver is asked for the size of its balloon (vm/size_question.hpp) ---------------

  /// One step of it. @param reachable  the VMM can be told of a change of config space.
  void ask(bool reachable);
  /// It answered, or nobody is there to be asked.
  void hear();
  /// Whether ask() is due. Thread: any.
  [[nodiscard]] bool asks(std::uint64_t now_ms) const noexcept { return question_.due(now_ms); }

  // --- The VMM is to be told of a change of config space ------------------------------------

  void notify() noexcept { notify_due_.store(true, std::memory_order_relaxed); }
  void notified() noexcept { notify_due_.store(false, std::memory_order_relaxed); }
  /// Thread: any.
  [[nodiscard]] bool notifies() const noexcept {
    return notify_due_.load(std::memory_order_relaxed);
  }

  /// The VMM is gone, and the guest is one of whom nothing is known.
  void release();

 private:
  void load();
  [[nodiscard]] Result<void> check(const Target& target, std::uint64_t guest_bytes) const;
  void keep(std::uint64_t guest_bytes);

  Balloon& balloon_;
  const Guest& guest_;
  const wire::BitTwo bit_two_;
  Notices& notices_;
  Target wanted_;
  SizeQuestion question_;
  std::atomic<bool> notify_due_{false};
};

}  // namespace vballoon::vm
