// SPDX-License-Identifier: BSD-3-Clause
//
// base/in_hand.hpp - whose work a thread has in hand: one who asks when the thread crashes knows
//                    whose it was.
// Thread: each thread has a note of its own. A signal handler may read the note of its thread.
// Why:    one process works for many VMs, and a crash is the doing of one of them at most. A note
//         is a store of an address. Threads with a seat need none: Tenure::enter() names the VM.
#pragma once

namespace vballoon {

class Tenure;

class InHand {
 public:
  /// Until its end, and then again what was in hand before.
  explicit InHand(const void* whose) noexcept;
  ~InHand();
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;

  /// From now on this thread works for it; null: for nobody.
  static void set(const void* whose) noexcept;
  /// From now on this thread works for whatever the tenure has entered. @param tenure  outlives
  /// that; null ends it.
  static void follow(const Tenure* tenure) noexcept;

  /// Whose work the calling thread has in hand; null: nobody's. Safe in a signal handler.
  [[nodiscard]] static const void* now() noexcept;

  /// Whose work another thread does not come back from, as far as is known; null: nobody's.
  static void suspect(const void* whose) noexcept;
  [[nodiscard]] static const void* suspected() noexcept;

 private:
  const void* const before_;
};

}  // namespace vballoon
