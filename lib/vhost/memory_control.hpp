// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/memory_control.hpp - takes the memory tables of a VMM: claims the regions, puts them under
//                            watch, and finds those that others have as well.
// Invariant: while a table is taken, its regions are claimed and under watch, and no region that
//            others claim is discarded.
// Thread: the device's lock guards all of it, except the functions that say "any".
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
  /// The arguments outlive this object. @param session  this object changes its `memory`.
  MemoryControl(MemoryClaims& claims, Session& session, vm::Balloon& balloon, vm::Restart& restart,
                Attachment& attachment, vm::Notices& notices)
      : claims_(claims),
        session_(session),
        balloon_(balloon),
        restart_(restart),
        attachment_(attachment),
        notices_(notices) {}

  /// Claims the regions of a SET_MEM_TABLE, before librte_vhost maps them. Where the table is
  /// refused, the present claim stands. @param process  that sent it; 0: not known
  /// @errors kInvalidArgument with what is wrong with the table, in the form of check_message().
  [[nodiscard]] Result<void> claim(const Message& message, pid_t process);
  /// librte_vhost is about to unmap the old table. @pre no ring runs
  void let_go_of_table() noexcept;
  /// The newest table could not be taken, so it is not known what is where in guest memory. No ring
  /// starts before the next table is taken.
  void miss_table() noexcept { memory().table = SharedMemory::Table::kMissing; }
  /// Takes the claimed table, which librte_vhost has mapped. No effect after miss_table().
  void take_table(int vid);
  [[nodiscard]] bool table_taken() const noexcept {
    return session_.memory.table == SharedMemory::Table::kTaken;
  }

  /// From now on no page is discarded that another VM has as well, or the guest at another address.
  /// Pages that were kept for that reason, and need not be kept any more, are discarded when the
  /// guest gives them again: a guest that started over without a word may use pages that are still
  /// in the ledger.
  void look_at_shares();
  /// Whether the claims of any VM have changed since look_at_shares(). Thread: any.
  [[nodiscard]] bool shares_due() const noexcept {
    return claims_seen_.load(std::memory_order_relaxed) != claims_.generation();
  }

  /// Whether a part of the memory was missing when it was read or written. Thread: any.
  [[nodiscard]] bool lost() const noexcept { return watch_.lost(); }

  /// The VMM is gone, and its memory is about to be unmapped. @pre no ring runs
  void unwatch() noexcept { watch_.clear(); }
  /// Drops the claim.
  void release() noexcept { claims_.drop(notices_.name()); }

 private:
  [[nodiscard]] SharedMemory& memory() noexcept { return session_.memory; }
  [[nodiscard]] Claimant claimant() const;
  [[nodiscard]] Result<void> check_other_files() const;
  void note_claimed();

  MemoryClaims& claims_;
  Session& session_;
  vm::Balloon& balloon_;
  vm::Restart& restart_;
  Attachment& attachment_;
  vm::Notices& notices_;
  gmem::MemoryWatch watch_;
  std::atomic<std::uint64_t> claims_seen_{0};  // generation() at look_at_shares()
};

}  // namespace vballoon::vhost
