// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/gather.hpp - which pages are in the balloon, and which of them wait for their neighbours
//                      before they are discarded: the ledger and the window of one device.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/owner.hpp"
#include "reclaim/block_map.hpp"
#include "reclaim/counters.hpp"
#include "reclaim/ledger.hpp"
#include "reclaim/limits.hpp"
#include "reclaim/sized_pages.hpp"
#include "reclaim/window.hpp"

namespace vballoon::reclaim {

struct Batch;

/// What came of a run of page numbers, in pages.
struct Tally {
  std::uint64_t changed = 0;    ///< entered (left) the balloon
  std::uint64_t unchanged = 0;  ///< were in it (were not) already
  std::uint64_t outside = 0;    ///< are no guest memory
};

class Gather {
 public:
  Gather(const ReclaimLimits& limits, ReclaimCounters& counters, const Owner& owner) noexcept
      : owner_(owner),
        counters_(counters),
        ages_(limits.ages),
        window_pages_(limits.window_pages),
        sizes_(limits.sizes) {}
  Gather(const Gather&) = delete;
  Gather& operator=(const Gather&) = delete;

  // --- The memory. @pre of each but provide_tables(): no batch is in flight -------------------

  /// Another memory map; pages that are still there stay in the ledger, and in the window.
  /// @param room  where the ledger's bits are from now on, until the next call or release(). A
  ///              filled one is believed instead of what is in the ledger.
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory, const LedgerRoom& room);

  /// All that is in the ledger is to be discarded, once more perhaps: nobody knows how far whoever
  /// filled it came. Where the driver does not tell when it uses a page again, nothing is done.
  void gather_all(std::uint64_t now_us) noexcept;

  /// Nothing of these regions is discarded, until the next call or set_memory(); what is gathered
  /// of them is retained. @param mask  a bit a region, in the order of the memory's.
  void keep_regions(std::uint32_t mask) noexcept;

  /// Forgets the balloon: the driver was reset, every page is the guest's again.
  void empty();
  /// Forgets the memory too.
  void release() noexcept;

  /// Has memory behind the tables now, so that no pass waits for a page of them: some 80 KiB a GiB,
  /// which a guest without a balloon need not cost. Of a guest above 128 GiB not behind all, for
  /// what a VMM claims may be never used: the rest comes page by page. Any thread, while nobody
  /// calls the others of this group.
  void provide_tables() const noexcept;

  /// Whether there is memory. Nothing below may be called without, but where it says so.
  [[nodiscard]] bool has_memory() const noexcept { return tables_ != nullptr; }
  [[nodiscard]] const BlockMap& blocks() const noexcept { return tables_->blocks; }
  [[nodiscard]] const gmem::GuestMemory& memory() const noexcept {
    return tables_->blocks.memory();
  }

  // --- Modes, with or without memory ----------------------------------------------------------

  /// Whether the driver tells before it uses a page again. Where it does not, a page of a huge page
  /// that is not whole may be in use already when the last of its neighbours comes, so huge pages
  /// are kept.
  void set_tells_host(bool tells) noexcept {
    VB_OWNED(owner_);
    tells_host_ = tells;
  }
  [[nodiscard]] bool tells_host() const noexcept { return tells_host_; }

  /// Any thread: nothing is discarded while this is set (VFIO, migration).
  void inhibit(bool on) noexcept { inhibited_.store(on, std::memory_order_relaxed); }
  [[nodiscard]] bool inhibited() const noexcept {
    return inhibited_.load(std::memory_order_relaxed);
  }

  // --- Pages come and go ----------------------------------------------------------------------

  /// Pages enter the balloon; from here on they may be discarded at any time. Pages that are in
  /// already are discarded again: a guest that crashed and started over without a reset gives
  /// pages which it has used since.
  Tally inflate(PageRun run, std::uint64_t now_us) noexcept;

  /// Pages leave the balloon. They may still be on their way to be discarded, until the fence.
  /// @param left  (PageRun) -> void: pages that may have been discarded, a block at a time.
  template <typename Left>
  Tally deflate(PageRun run, Left left) noexcept;

  // --- Pages of several sizes. @pre of each: the limits named sizes -----------------------------

  [[nodiscard]] const PageShifts& sizes() const noexcept { return sizes_; }
  [[nodiscard]] const SizedPages& sized() const noexcept { return *tables_->sized; }
  /// A page enters the balloon, as inflate(). @return false, with nothing done, where any of it is
  /// in already. @pre it is memory, and aligned to its size
  [[nodiscard]] bool enter(PageRun page, unsigned kind, std::uint64_t now_us) noexcept;
  /// See SizedPages::next().
  [[nodiscard]] PageRun next_page(unsigned kind) noexcept { return tables_->sized->next(kind); }
  /// A page of this kind of which nothing was discarded yet, if there is one at hand.
  [[nodiscard]] std::optional<PageRun> late_page(unsigned kind) const noexcept;
  /// What of a page still waits in the window comes out no more. It may be on its way.
  void hold_back(PageRun page) noexcept;
  /// The opposite: a page that stays in the balloon is to be discarded once more.
  void gather_again(PageRun page, std::uint64_t now_us) noexcept {
    static_cast<void>(inflate(page, now_us));
  }
  /// A page leaves the balloon. @pre sized().has(page, kind), and it is not on its way
  void leave(PageRun page, unsigned kind) noexcept;

  /// How much of a range is best discarded at once: about `bytes`, but no block is cut that the
  /// range has whole. Of a huge page that comes in two parts neither could be discarded.
  [[nodiscard]] std::uint64_t portion(GpaRange range, std::uint64_t bytes) const noexcept;

  // --- Out of the window ----------------------------------------------------------------------

  /// More waits in the window than may: whoever can is to give no more for now.
  [[nodiscard]] bool crowded() const noexcept {
    return !inhibited() && tables_->window.pages() > window_pages_;
  }
  /// Pages wait in the window. Without memory none do.
  [[nodiscard]] bool any_waiting() const noexcept {
    return tables_ != nullptr && !tables_->window.empty();
  }
  /// How long until let_out() finds something. @pre any_waiting()
  [[nodiscard]] std::uint32_t due_in_us(std::uint64_t now_us) const noexcept {
    return tables_->window.due_in_us(now_us);
  }
  /// Makes ready what has waited long enough. @param everything  whatever waits.
  void let_out(std::uint64_t now_us, bool everything) noexcept;

  [[nodiscard]] bool any_ready() const noexcept { return tables_->window.any_ready(); }
  /// Where the run that take() would give lies. @pre any_ready()
  [[nodiscard]] const gmem::Region& next_region() const noexcept {
    return tables_->window.next_region();
  }
  /// The next run that is to be discarded: under way until learn() was told. @pre any_ready()
  [[nodiscard]] PageRun take() noexcept;

  /// What became of pages that take() gave. @param batch  of the account kInflated, carried out.
  void learn(const Batch& batch) noexcept;

  /// Inhibited, and the driver does not tell: the buffers of what waits go back undiscarded, and
  /// the pages may be in use from then on.
  void keep_waiting() noexcept;

  // --- Figures. Without memory all are 0 ------------------------------------------------------

  [[nodiscard]] std::uint64_t ballooned_pages() const noexcept {
    return tables_ != nullptr ? tables_->ledger.population() : 0;
  }
  [[nodiscard]] std::uint64_t stranded_pages() const noexcept {
    return tables_ != nullptr ? tables_->ledger.stranded() : 0;
  }
  /// What the host really has of the pages that are in the balloon: not those in huge pages that
  /// are not whole, nor kept ones, nor those that are still gathered or on their way. At least so
  /// many: see Ledger::kept(), and a page that left the balloon while it was on its way counts as
  /// that.
  [[nodiscard]] std::uint64_t reclaimed_pages() const noexcept;
  /// Brings the counters up to date.
  void show() noexcept;

 private:
  /// They come and go together; the others refer to the blocks.
  struct Tables {
    Tables(BlockMap map, const LedgerRoom& room, WindowAges ages, const PageShifts& sizes)
        : blocks(std::move(map)), ledger(blocks, room), window(blocks, ages) {
      if (sizes.count != 0) sized.emplace(blocks, ledger, sizes, room);
    }
    BlockMap blocks;
    Ledger ledger;
    Window window;
    std::optional<SizedPages> sized;
  };

  [[nodiscard]] bool may_gather(const Part& part) const noexcept;
  void retain(const Part& part) noexcept;
  void carry_over(const LedgerRoom& room, Tables* into) const;
  void carry_pages_over(Tables* into) const;

  const Owner& owner_;
  std::unique_ptr<Tables> tables_;  // null: no memory
  bool tells_host_ = false;
  std::atomic<bool> inhibited_{false};  // set by the control thread, read by the owner
  std::uint64_t under_way_ = 0;         // pages between take() and learn()
  ReclaimCounters& counters_;
  LedgerRoom room_;
  const WindowAges ages_;
  const std::uint64_t window_pages_;
  const PageShifts sizes_;
};

template <typename Left>
Tally Gather::deflate(PageRun run, Left left) noexcept {
  VB_OWNED(owner_);
  Tally tally;
  Tables& tables = *tables_;
  const auto leaves = [&](const Part& part, std::uint64_t first) noexcept {
    const std::uint64_t gone = tables.ledger.erase(part);
    tally.changed += gone;
    tally.unchanged += part.pages - gone;
    tables.window.remove(part);
    if (gone != 0 && part.can_discard) left(PageRun{first, part.pages});
  };
  tally.outside = tables.blocks.for_each_known_part(run, leaves);
  return tally;
}

}  // namespace vballoon::reclaim
