// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/reclaimer.hpp - one device's way from page numbers to holes in the guest's memory file.
// Thread: the owner of the device's data path.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/counter.hpp"
#include "reclaim/batch.hpp"
#include "reclaim/conduct.hpp"
#include "reclaim/ledger.hpp"
#include "reclaim/run_queue.hpp"
#include "reclaim/window.hpp"

namespace vballoon::reclaim {

class HugeFile;
class HugeReserve;

/// What was given back on one account, or fetched.
struct Done {
  Counter calls;  ///< system calls, failed ones included
  Counter bytes;
};

/// Written by the owner, read by anyone.
struct ReclaimCounters {
  Done inflated;
  Done reported;
  Done prefaulted;
  Counter failed_calls;      ///< the kernel said no; the pages stay in the balloon
  Counter failed_prefaults;  ///< no memory; the guest's first touch will have to find some
  Counter retained_bytes;    ///< served and kept: inhibited, a region without holes, or uncovered
  Counter uncovered_bytes;   ///< of these: their pool of huge pages could not have given them back
  Counter gathered_pages;    ///< in the window, now
  Counter kept_pages;  ///< in the balloon now, and the host does not have them: retained or refused
  Counter reclaimed_pages;  ///< in the balloon now, and the host has them: see reclaimed_pages()
  Counter in_flight;        ///< batches handed over and not yet back, now
  Counter sink_full;        ///< times that a batch had to wait for room: the back pressure
};

struct ReclaimLimits {
  WindowAges ages{};
  /// Pages that may wait in the window; the oldest go when there are more.
  std::uint64_t window_pages = std::uint64_t{1} << 20;
  /// Where set, no huge page is discarded that its pool could not give back. Outlives it.
  HugeReserve* reserve = nullptr;

  /// As an operator says it. Of the longest wait, long runs wait a tenth.
  [[nodiscard]] static ReclaimLimits of(std::uint64_t window_bytes, std::uint64_t age_ms) noexcept {
    const auto longest_us = static_cast<std::uint32_t>(age_ms * 1000);
    return {{longest_us, longest_us / 10}, bytes_to_pages(window_bytes)};
  }
};

/// What came of a run of page numbers, in pages.
struct Tally {
  std::uint64_t changed = 0;    ///< entered (left) the balloon
  std::uint64_t unchanged = 0;  ///< were in it (were not) already
  std::uint64_t outside = 0;    ///< are no guest memory
};

/// A point in the stream of discards. A buffer that waits for it may be used once passed() is true.
class Fence {
 public:
  constexpr Fence() noexcept = default;
  friend constexpr bool operator==(Fence, Fence) = default;

 private:
  friend class Reclaimer;
  constexpr explicit Fence(std::uint64_t batch) noexcept : batch_(batch) {}
  std::uint64_t batch_ = 0;
};

class Reclaimer {
 public:
  explicit Reclaimer(ReclaimLimits limits) noexcept : limits_(limits) {}

  /// Where batches go from now on. @pre nothing is in flight.
  void set_sink(BatchSink& sink) noexcept { sink_ = &sink; }

  /// Whether the driver tells before it uses a page again. Where it does not, a page of a huge page
  /// that is not whole may be in use already when the last of its neighbours comes, so huge pages
  /// are kept.
  void set_tells_host(bool tells) noexcept { tells_host_ = tells; }

  /// Goes over to another memory map; pages that are still there stay in the ledger, and in the
  /// window. @pre nothing is in flight. Before the first call nothing below may be called.
  /// @param room  where the ledger's bits are from now on, until the next call or release(). A
  ///              filled one is believed instead of what is in the ledger.
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory, const LedgerRoom& room = {});

  /// All that is in the ledger is to be discarded, once more perhaps: nobody knows how far whoever
  /// filled it came. Where the driver does not tell when it uses a page again, nothing is done.
  /// @pre nothing is in flight.
  void gather_all(std::uint64_t now_us) noexcept;

  /// Nothing of these regions is discarded, until the next call or set_memory(); what is gathered
  /// of them is retained. @param mask  a bit a region, in the order of the memory's.
  /// @pre nothing is in flight.
  void keep_regions(std::uint32_t mask) noexcept;

  /// Has memory behind the tables now, so that no pass waits for a page of them: some 80 KiB a GiB,
  /// which a guest without a balloon need not cost. Of a guest above 128 GiB not behind all, for
  /// what a VMM claims may be never used: the rest comes page by page. Any thread, while nobody
  /// calls the three others of this group.
  void provide_tables() const noexcept;

  /// Forgets the balloon: the driver was reset, every page is the guest's again.
  /// @pre nothing is in flight.
  void empty();

  /// Forgets the memory too, and closes its files. @pre nothing is in flight.
  void release() noexcept;

  /// Pages enter the balloon; from here on they may be discarded at any time. Pages that are in
  /// already are discarded again: a guest that crashed and started over without a reset gives
  /// pages which it has used since.
  Tally inflate(PageRun run, std::uint64_t now_us) noexcept;

  /// Pages leave the balloon. They may still be on their way to be discarded, until the fence.
  Tally deflate(PageRun run) noexcept;

  /// A free range that the guest holds still until it is told; partial pages at its edges are not
  /// free. @pre range is guest memory. @return false, with nothing taken, while there is no room.
  [[nodiscard]] bool report(GpaRange range) noexcept;

  /// How much of a range report() is to be given at once: about `bytes`, but no block is cut that
  /// the range has whole. Of a huge page that comes in two parts neither could be discarded.
  [[nodiscard]] std::uint64_t portion(GpaRange range, std::uint64_t bytes) const noexcept;

  /// Any thread: pages that leave the balloon are put there again before their buffer is used, so
  /// that the guest's first touch does not wait for the host. No more bytes are put there than the
  /// host got from the balloon since the guest, or this daemon, began: a page without memory that
  /// the guest gives away comes back without memory.
  void prefault(bool on) noexcept { prefault_.store(on, std::memory_order_relaxed); }
  [[nodiscard]] bool prefaults() const noexcept {
    return prefault_.load(std::memory_order_relaxed);
  }
  /// What was asked for counts from here on: who asks for room and who takes it must have the same
  /// answer.
  void begin_pass() noexcept { prefaulting_ = prefaults(); }
  /// How many runs deflate() may be called with before the next pump().
  [[nodiscard]] std::size_t room_to_deflate() const noexcept {
    return prefaulting_ ? prefaults_.room() : SIZE_MAX;
  }
  /// Pages that wait to be put there again are all handed over.
  [[nodiscard]] bool prefaults_handed_over() const noexcept { return prefaults_.empty(); }

  /// Hands over what is ready, as far as the pass's share goes.
  /// @param everything  let nothing wait in the window.
  void pump(std::uint64_t now_us, bool everything) noexcept;

  /// All that has left the window so far.
  [[nodiscard]] Fence handed_over() const noexcept {
    return Fence(submitted_ + (open_ != nullptr ? 1 : 0));
  }
  [[nodiscard]] bool passed(Fence fence) const noexcept { return completed_ >= fence.batch_; }

  /// After pump(): nothing is left in the window that it would let out, nor among the reports; some
  /// may still be on its way.
  [[nodiscard]] bool drained() const noexcept { return at_rest(held_back_); }
  [[nodiscard]] bool in_flight() const noexcept {
    return submitted_ != completed_ || open_ != nullptr || !prefaults_.empty();
  }
  /// No report waits for its way to be discarded.
  [[nodiscard]] bool reports_handed_over() const noexcept { return reports_.empty(); }
  /// Nothing is on its way, nor waits among the reports; what is in the window may stay there.
  [[nodiscard]] bool settled() const noexcept { return !in_flight() && reports_handed_over(); }
  /// pump() would have something to look at.
  [[nodiscard]] bool busy() const noexcept { return in_flight() || !at_rest(inhibited()); }
  /// From when on it would: pages in the window only wait for the clock. kNever: not before
  /// something else happens.
  [[nodiscard]] std::uint64_t busy_from_us(std::uint64_t now_us) const noexcept;
  static constexpr std::uint64_t kNever = UINT64_MAX;

  /// The sink, where it is the one to tell: the oldest batch was carried out.
  void complete(const Batch& batch) noexcept;

  /// Any thread: nothing is handed over any more while this is set (VFIO, migration).
  void inhibit(bool on) noexcept { inhibited_.store(on, std::memory_order_relaxed); }
  [[nodiscard]] bool inhibited() const noexcept {
    return inhibited_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t ballooned_pages() const noexcept {
    return ledger_ ? ledger_->population() : 0;
  }
  [[nodiscard]] std::uint64_t stranded_pages() const noexcept {
    return ledger_ ? ledger_->stranded() : 0;
  }
  /// What the host really has of the pages that are in the balloon: not those in huge pages that
  /// are not whole, nor kept ones, nor those that are still gathered or on their way. At least so
  /// many: see Ledger::kept(), and a page that left the balloon while it was on its way counts as
  /// that.
  [[nodiscard]] std::uint64_t reclaimed_pages() const noexcept;
  [[nodiscard]] const ReclaimCounters& counters() const noexcept { return counters_; }
  /// Any thread.
  [[nodiscard]] const std::shared_ptr<Conduct>& conduct() const noexcept { return conduct_; }

 private:
  /// Runs of reported pages that may wait: two chains as Linux makes them.
  static constexpr std::size_t kReports = 64;
  /// Runs that wait to be prefaulted: two buffers as Linux makes them, at their worst.
  static constexpr std::size_t kPrefaults = 2 * 512;
  /// Batches of one device between here and its completion: no guest takes them all.
  static constexpr std::uint64_t kInFlight = 4;

  [[nodiscard]] bool at_rest(bool held_back) const noexcept {
    return (window_ == nullptr || window_->empty() || held_back) && reports_.empty();
  }
  [[nodiscard]] bool may_gather(const Part& part) const noexcept;
  void keep_gathered() noexcept;
  [[nodiscard]] bool make_room(const gmem::Region& region, Account account) noexcept;
  [[nodiscard]] bool send() noexcept;
  void take_back() noexcept;
  void pump_window() noexcept;
  void pump_reports() noexcept;
  void pump_prefaults() noexcept;
  [[nodiscard]] std::uint64_t pages_to_fetch(const gmem::Region& region,
                                             PageRun run) const noexcept;
  [[nodiscard]] bool discards_are_counted() noexcept;
  void limit_owed() noexcept;
  void add(const gmem::Region& region, PageRun run) noexcept;
  void wait_for_room() noexcept;
  [[nodiscard]] Done& done_on(Account account) noexcept;
  void retain(const Part& part) noexcept;
  [[nodiscard]] HugeFile* huge_file_of(const gmem::Region& region) const noexcept;
  void learn(const Batch& batch) noexcept;
  void show() noexcept;
  template <typename Visit>
  void carry_over(const BlockMap& into, const Bitmap& pages, Visit visit) const;
  void carry_over_kept(const BlockMap& into, Ledger* ledger) const;

  BatchSink* sink_ = nullptr;
  Batch* open_ = nullptr;  // being filled
  std::uint64_t submitted_ = 0;
  std::uint64_t completed_ = 0;
  // On their way, batch n at n % kInFlight: taken back in this order, whoever carries them out.
  std::array<Batch*, kInFlight> on_way_{};
  bool tells_host_ = false;
  bool waiting_ = false;                // a batch has to wait for room
  bool prefaulting_ = false;            // prefault, as begin_pass() found it
  bool held_back_ = false;              // inhibited, as the last pump() found it
  std::atomic<bool> inhibited_{false};  // set by the control thread, read by the owner
  std::atomic<bool> prefault_{false};   // likewise
  std::unique_ptr<BlockMap> blocks_;
  LedgerRoom room_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Window> window_;
  std::vector<std::shared_ptr<HugeFile>> huge_files_;  // by region; null: no guarantee asked for
  RunQueue<kReports> reports_;
  RunQueue<kPrefaults> prefaults_;
  std::uint64_t under_way_ = 0;  // pages of the balloon between window and completion
  std::uint64_t owed_ = 0;       // bytes that the host got from what is in the balloon, at most
  std::optional<Fence>
      fetch_after_;           // for runs that are to be fetched, and of which too little is owed
  std::uint64_t budget_ = 0;  // bytes that may still be handed over in this pass
  ReclaimCounters counters_;
  const std::shared_ptr<Conduct> conduct_ = std::make_shared<Conduct>();
  const ReclaimLimits limits_;
};

}  // namespace vballoon::reclaim
