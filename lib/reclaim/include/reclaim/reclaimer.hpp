// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/reclaimer.hpp - one device's way from page numbers to holes in the guest's memory file.
// Layer:  reclaim; may include base/ and gmem/. Thread: the owner of the device's data path.
#pragma once

#include <cstdint>
#include <memory>

#include "base/counter.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/ledger.hpp"
#include "reclaim/page_run.hpp"

namespace vballoon::reclaim {

/// What was given back on one account.
struct Freed {
  Counter calls;  ///< system calls, failed ones included
  Counter bytes;
};

/// Written by the owner, read by anyone.
struct ReclaimCounters {
  Freed inflated;
  Freed reported;
  Counter failed_calls;     ///< the kernel said no; the pages stay in the balloon
  Counter retained_bytes;   ///< in a region that cannot be discarded: served, and kept by the host
};

/// What came of one page number.
enum class Outcome { kDone, kOutsideMemory, kAlreadyThere, kNotThere };

/// Gathers the pages of a pass and discards them as few, long holes. Between add() and flush() no
/// page has changed; after flush() every page that was added and not removed since is gone.
class Reclaimer {
 public:
  explicit Reclaimer(Discarder& discarder);

  /// Goes over to another memory map; pages that are still there stay in the ledger.
  /// @pre  Nothing is gathered. Before the first call nothing else may be called but reset().
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory);

  /// Forgets the balloon: the driver was reset, every page is the guest's again.
  void reset();

  /// Forgets the memory too, and closes its files: the VMM is gone.
  void release() noexcept;

  /// A page enters the balloon. One that is already in is discarded again: a guest that crashed
  /// and started over without a reset gives pages it has used since.
  Outcome inflate(Pfn pfn) noexcept;

  /// A page leaves the balloon; it will not be discarded from here on, gathered or not.
  Outcome deflate(Pfn pfn) noexcept;

  /// A free range that the guest holds still until it is told. @pre range is guest memory.
  void report(GpaRange range) noexcept;

  /// Discards all that is gathered.
  void flush() noexcept;

  [[nodiscard]] std::uint64_t ballooned_pages() const noexcept {
    return ledger_ ? ledger_->population() : 0;
  }
  [[nodiscard]] std::uint64_t stranded_pages() const noexcept {
    return ledger_ ? ledger_->stranded() : 0;
  }
  [[nodiscard]] const ReclaimCounters& counters() const noexcept { return counters_; }

 private:
  void gather(RunList& list, PageRun run) noexcept;
  void flush_balloon() noexcept;
  void flush_reports() noexcept;
  void discard(PageRun run, Freed& freed) noexcept;
  void discard_in_region(const gmem::Region& region, std::uint64_t offset, std::uint64_t bytes,
                         Freed& freed) noexcept;

  Discarder& discarder_;
  std::unique_ptr<Ledger> ledger_;
  RunList balloon_runs_;
  RunList report_runs_;
  ReclaimCounters counters_;
};

}  // namespace vballoon::reclaim
