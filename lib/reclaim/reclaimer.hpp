// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/reclaimer.hpp - one device's way from page numbers to holes in the guest's memory file:
//                         what its gather lets out, and what the guest reports, into batches.
#pragma once

#include <cstdint>
#include <memory>

#include "reclaim/gather.hpp"
#include "reclaim/handover.hpp"
#include "reclaim/prefaults.hpp"
#include "reclaim/returns.hpp"
#include "reclaim/run_queue.hpp"

namespace vballoon::reclaim {

/// Holds the three parts, and does what takes more than one of them.
class Reclaimer {
 public:
  /// @param owner  of the device's data path, which outlives it.
  explicit Reclaimer(const ReclaimLimits& limits, const Owner& owner = kUnowned) noexcept
      : reserve_(limits.reserve), gather_(limits, counters_, owner) {}

  [[nodiscard]] Gather& gather() noexcept { return gather_; }
  [[nodiscard]] const Gather& gather() const noexcept { return gather_; }
  [[nodiscard]] Handover& handover() noexcept { return handover_; }
  [[nodiscard]] const Handover& handover() const noexcept { return handover_; }
  [[nodiscard]] Prefaults& prefaults() noexcept { return prefaults_; }
  [[nodiscard]] const Prefaults& prefaults() const noexcept { return prefaults_; }
  [[nodiscard]] Returns& returns() noexcept { return returns_; }
  [[nodiscard]] const ReclaimCounters& counters() const noexcept { return counters_; }

  // --- The memory, see Gather. @pre of each: nothing is in flight -----------------------------

  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory, const LedgerRoom& room = {});
  void gather_all(std::uint64_t now_us) noexcept;
  void keep_regions(std::uint32_t mask) noexcept;
  /// Reports that wait are forgotten too.
  void empty();
  /// The same, and closes the memory's files.
  void release() noexcept;

  // --- A pass. @pre there is memory -----------------------------------------------------------

  void begin_pass() noexcept { prefaults_.begin_pass(); }

  Tally inflate(PageRun run, std::uint64_t now_us) noexcept { return gather_.inflate(run, now_us); }
  /// @pre prefaults().room() is one at least.
  Tally deflate(PageRun run) noexcept;
  /// A free range that the guest holds still until it is told; partial pages at its edges are not
  /// free. @pre range is guest memory. @return false, with nothing taken, while there is no room.
  [[nodiscard]] bool report(GpaRange range) noexcept;

  /// Hands over what is ready, as far as the pass's share goes; with no memory, nothing.
  /// @param everything  let nothing wait in the window.
  void pump(std::uint64_t now_us, bool everything) noexcept;

  // --- How far it is --------------------------------------------------------------------------

  /// After pump(): nothing is left in the window that it would let out, nor among the reports; some
  /// may still be on its way.
  [[nodiscard]] bool drained() const noexcept { return at_rest(held_back_); }
  [[nodiscard]] bool in_flight() const noexcept {
    return handover_.in_flight() || !prefaults_.handed_over() || !returns_.handed_over();
  }
  /// No report waits for its way to be discarded.
  [[nodiscard]] bool reports_handed_over() const noexcept { return reports_.empty(); }
  /// Nothing is on its way, nor waits among the reports; what is in the window may stay there.
  [[nodiscard]] bool settled() const noexcept { return !in_flight() && reports_handed_over(); }
  /// pump() would have something to look at.
  [[nodiscard]] bool busy() const noexcept { return in_flight() || !at_rest(gather_.inhibited()); }
  /// From when on it would: pages in the window only wait for the clock. kNever: not before
  /// something else happens.
  [[nodiscard]] std::uint64_t busy_from_us(std::uint64_t now_us) const noexcept;
  static constexpr std::uint64_t kNever = UINT64_MAX;

 private:
  /// Runs of reported pages that may wait: two chains as Linux makes them.
  static constexpr std::size_t kReports = 64;

  [[nodiscard]] bool at_rest(bool held_back) const noexcept {
    return (!gather_.any_waiting() || held_back) && reports_.empty();
  }
  void pump_reports() noexcept;
  void pump_window(std::uint64_t now_us, bool everything) noexcept;
  void show() noexcept;

  ReclaimCounters counters_;
  HugeReserve* const reserve_;
  bool held_back_ = false;  // inhibited, as the last pump() found it
  Gather gather_;
  Prefaults prefaults_;
  Returns returns_;
  Handover handover_{gather_, prefaults_, returns_, counters_};
  RunQueue<kReports> reports_;
};

}  // namespace vballoon::reclaim
