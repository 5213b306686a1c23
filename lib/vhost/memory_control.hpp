// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/memory_control.hpp - a guest's memory as its VMM hands it over: claimed, mapped, under
//                            watch, and what of it others have, too.
// Invariant: while a table is taken its regions are claimed and under watch, and none that others
//            claim is discarded.
// Thread: the device's lock guards all of it, but for what says any.
// Source: vhost-user protocol, "Memory region description".
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "gmem/lost_memory.hpp"
#include "vhost/attachment.hpp"
#include "vhost/memory_claims.hpp"
#include "vhost/message.hpp"
#include "vhost/session.hpp"
#include "vm/notices.hpp"
#include "vm/restart.hpp"

namespace vballoon::vhost {

class MemoryControl {
 public:
  /// All of them outlive this. @param session  its memory is this one's to change.
  MemoryControl(MemoryClaims& claims, Session& session, vm::Balloon& balloon, vm::Restart& restart,
                Attachment& attachment, vm::Notices& notices)
      : claims_(claims),
        session_(session),
        balloon_(balloon),
        restart_(restart),
        attachment_(attachment),
        notices_(notices) {}

  /// Claims the table of a SET_MEM_TABLE, before anything of it is mapped. What was claimed before
  /// stands where this is refused.
  /// @errors what is wrong with it, to be followed by "that is refused".
  [[nodiscard]] Result<void> claim(const Message& message);
  /// librte_vhost is about to unmap the old table. @pre no ring runs
  void let_go_of_table() noexcept;
  /// The newest table could not be taken: where in it anything is, is not known. @pre no ring runs
  void miss_table() noexcept { memory().table = SharedMemory::Table::kMissing; }
  /// librte_vhost has mapped the table that was claimed, unless it was missed.
  void take_table(int vid);
  [[nodiscard]] bool table_taken() const noexcept {
    return session_.memory.table == SharedMemory::Table::kTaken;
  }

  /// A page that another VM has, too, or the guest at another address, is not discarded for this
  /// one. What had to stay for that goes when the guest gives it again: a guest that started over
  /// without a word may be using what is in the ledger.
  void look_at_shares();
  /// Whether somebody's claims changed since. Thread: any.
  [[nodiscard]] bool shares_due() const noexcept {
    return claims_seen_.load(std::memory_order_relaxed) != claims_.generation();
  }

  /// Some of it was not there when it was read or written. Thread: any.
  [[nodiscard]] bool lost() const noexcept { return watch_.lost(); }

  /// The VMM is gone, and its memory is about to be unmapped. @pre no ring runs
  void unwatch() noexcept { watch_.clear(); }
  /// Nothing is claimed any more.
  void release() noexcept { claims_.drop(notices_.name()); }

 private:
  [[nodiscard]] SharedMemory& memory() noexcept { return session_.memory; }
  [[nodiscard]] Result<void> check_other_files() const;
  void note_claimed();

  MemoryClaims& claims_;
  Session& session_;
  vm::Balloon& balloon_;
  vm::Restart& restart_;
  Attachment& attachment_;
  vm::Notices& notices_;
  gmem::MemoryWatch watch_;
  std::atomic<std::uint64_t> claims_seen_{0};  // MemoryClaims::generation()
};

}  // namespace vballoon::vhost
