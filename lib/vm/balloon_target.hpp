// SPDX-License-Identifier: BSD-3-Clause
//
// vm/balloon_target.hpp - the size that is wanted for a VM's balloon, and the target that the
//                         connected guest is shown.
// Invariant: num_pages in config space is the wish, lowered to what this guest can give; except
//            while the driver is asked for its size. The wish itself stays, because the next VM on
//            the socket may be larger.
// Thread: the device's lock guards all of it; any thread may call asks() and notifies().
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
  /// Begins with the wish that was kept. The objects that are passed outlive this one.
  BalloonTarget(Balloon& balloon, const Guest& guest, wire::Dialect dialect, Notices& notices);

  /// The wish as it was asked for, which may be more than the guest has.
  [[nodiscard]] const Target& wanted() const noexcept { return wanted_; }
  /// @return the pages that a guest of this size is asked for.
  [[nodiscard]] std::uint32_t pages_of(std::uint64_t guest_bytes) const noexcept;
  [[nodiscard]] std::uint64_t guest_bytes() const noexcept;

  /// Sets another wish, keeps it and puts it into config space. tell() tells the driver, once.
  /// @errors kInvalidArgument as Vm::set_target().
  Result<TargetSet> set(const Target& target);
  /// Makes num_pages follow the wish and the size of the guest.
  void show();
  /// As show(), for a share of a guest whose driver has said its size, and only where the target
  /// changes by more than a guest's figures waver.
  void follow();
  /// Tells the driver its target, and begins to ask for its size where that is not known. A new
  /// driver has read the target, but a driver that goes on may have read another one.
  void tell();

  // --- The driver is asked for the size of its balloon (vm/size_question.hpp) ---------------

  /// Does the step that is due. @param reachable  the VMM can be told of changes of config space.
  void ask(bool reachable);
  /// Ends the question: the driver has said its size, or cannot be asked.
  void hear();
  /// Whether ask() is due. Thread: any.
  [[nodiscard]] bool asks(std::uint64_t now_ms) const noexcept { return question_.due(now_ms); }

  // --- The VMM is to be told of a change of config space ------------------------------------

  /// Of device 13 the driver is: there are no such changes, and it has a queue for requests.
  void notify() noexcept {
    if (dialect_ == wire::Dialect::kLarge) return balloon_.path().tell_target();
    notify_due_.store(true, std::memory_order_relaxed);
  }
  void notified() noexcept { notify_due_.store(false, std::memory_order_relaxed); }
  /// Thread: any.
  [[nodiscard]] bool notifies() const noexcept {
    return notify_due_.load(std::memory_order_relaxed);
  }

  /// The VMM is gone: nothing is known of the next guest, and nobody is to be told.
  void release();

 private:
  void load();
  [[nodiscard]] Result<void> check(const Target& target, std::uint64_t guest_bytes) const;
  void keep(std::uint64_t guest_bytes);
  /// Puts the wish into config space. @return whether num_pages is another one now.
  bool place(std::uint64_t guest_bytes);

  Balloon& balloon_;
  const Guest& guest_;
  const wire::Dialect dialect_;
  Notices& notices_;
  Target wanted_;
  SizeQuestion question_;
  std::atomic<bool> notify_due_{false};
};

}  // namespace vballoon::vm
