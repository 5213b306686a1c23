// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/reclaimer.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "reclaim/huge/reserve.hpp"

namespace vballoon::reclaim {
namespace {

/// A call costs as much as some 16 pages, so that much is the least it takes of a pass's share.
constexpr std::uint64_t kLeastShare = 64 * kKiB;
/// Of each table in advance: the bitmaps of 128 GiB.
constexpr std::uint64_t kProvided = 4 * kMiB;

std::uint64_t offset_of(const gmem::Region& region, PageRun run) noexcept {
  return region.file_offset + (gpa_of(run.first).value - region.first.value);
}

/// Of the host pages that a run touches.
std::uint64_t host_bytes_of(const gmem::Region& region, PageRun run) noexcept {
  const std::uint64_t page = region.backing.host_page;
  const std::uint64_t start = offset_of(region, run);
  return (start + pages_to_bytes(run.pages) + page - 1) / page * page - start / page * page;
}

/// Calls visit(part, its first page) for whatever of the run is memory. @return the pages that are
/// not.
template <typename Visit>
std::uint64_t for_each_known_part(const BlockMap& map, PageRun run, Visit visit) noexcept {
  std::uint64_t outside = 0;
  for (std::uint64_t done = 0; run.pages != 0; run = PageRun{run.first + done, run.pages - done}) {
    const Part part = map.first_part(run);
    done = std::max<std::uint64_t>(1, part.pages);
    if (part.pages != 0) {
      visit(part, run.first);
    } else {
      ++outside;
    }
  }
  return outside;
}

/// One a region, if there is a reserve to keep; null for those without huge pages.
std::vector<std::shared_ptr<HugeFile>> watch_huge_files(const gmem::GuestMemory& memory,
                                                        HugeReserve* reserve) {
  std::vector<std::shared_ptr<HugeFile>> files;
  if (reserve == nullptr) return files;
  for (const gmem::Region& region : memory.regions()) {
    const bool huge = region.backing.host_page > kPageSize;
    files.push_back(huge ? reserve->watch(region.fd.get(), region.backing.host_page) : nullptr);
  }
  return files;
}

}  // namespace

void Reclaimer::set_memory(std::shared_ptr<const gmem::GuestMemory> memory,
                           const LedgerRoom& room) {
  VB_CHECK(!in_flight());
  auto blocks = std::make_unique<BlockMap>(std::move(memory));
  auto ledger = std::make_unique<Ledger>(*blocks, room);
  auto window = std::make_unique<Window>(*blocks, limits_.ages);
  if (blocks_) {
    if (!room.filled) {
      carry_over(*blocks, ledger_->pages(), [&](const Part& part, auto) { ledger->insert(part); });
    }
    carry_over(*blocks, window_->gathered(), [&](const Part& part, auto) {
      if (may_gather(part)) {
        window->add(part, ledger->complete(part.block), 0);
      } else {
        ledger->keep(part);
      }
    });
    carry_over_kept(*blocks, ledger.get());
  }
  // Before the old ones go: files that stay keep their account.
  huge_files_ = watch_huge_files(blocks->memory(), limits_.reserve);
  window_ = std::move(window);
  ledger_ = std::move(ledger);
  blocks_ = std::move(blocks);
  room_ = LedgerRoom{room.words, room.touched, false};
  show();
}

void Reclaimer::gather_all(std::uint64_t now_us) noexcept {
  VB_CHECK(!in_flight());
  if (ledger_ == nullptr || !tells_host_) return;
  carry_over(*blocks_, ledger_->pages(), [&](const Part& part, auto) {
    if (may_gather(part)) {
      window_->add(part, ledger_->complete(part.block), now_us);
    } else {
      retain(part);
    }
  });
  show();
}

/// Calls visit() for every page of ours that the new map has too.
template <typename Visit>
void Reclaimer::carry_over(const BlockMap& into, const Bitmap& pages, Visit visit) const {
  for (const gmem::Region& region : blocks_->memory().regions()) {
    const std::uint64_t end = region.first_index + bytes_to_pages(region.bytes);
    for (std::uint64_t at = pages.next_set(region.first_index, end); at < end;) {
      const std::uint64_t last = pages.next_clear(at, end);
      const PageRun run{page_of(region.first) + (at - region.first_index), last - at};
      for_each_known_part(into, run, visit);
      at = pages.next_set(last, end);
    }
  }
}

/// Blocks may be cut elsewhere now, so of a block that was kept in part all that can be is.
void Reclaimer::carry_over_kept(const BlockMap& into, Ledger* ledger) const {
  if (ledger_->kept() == 0) return;
  ledger_->for_each_block([&](const Block& block) {
    if (ledger_->kept_in(block.part.block) == 0) return;
    for_each_known_part(into, block.run, [&](const Part& part, auto) { ledger->keep(part); });
  });
}

void Reclaimer::provide_tables() const noexcept {
  if (ledger_ == nullptr) return;
  ledger_->provide(kProvided);
  window_->provide(kProvided);
}

void Reclaimer::empty() {
  VB_CHECK(!in_flight());
  reports_.clear();
  owed_ = 0;
  if (!blocks_) return;
  ledger_ = std::make_unique<Ledger>(*blocks_, room_);
  window_ = std::make_unique<Window>(*blocks_, limits_.ages);
  show();
}

void Reclaimer::release() noexcept {
  VB_CHECK(!in_flight());
  reports_.clear();
  owed_ = 0;
  huge_files_.clear();
  window_.reset();
  ledger_.reset();
  room_ = {};
  blocks_.reset();
  show();
}

std::uint64_t Reclaimer::reclaimed_pages() const noexcept {
  if (ledger_ == nullptr) return 0;
  const std::uint64_t not_yet =
      ledger_->stranded() + ledger_->kept() + window_->pages() + under_way_;
  return ledger_->population() - std::min(ledger_->population(), not_yet);
}

void Reclaimer::show() noexcept {
  counters_.gathered_pages.set(window_ ? window_->pages() : 0);
  counters_.kept_pages.set(ledger_ ? ledger_->kept() : 0);
  counters_.reclaimed_pages.set(reclaimed_pages());
  counters_.in_flight.set(submitted_ - completed_);
}

/// Whether a page that enters the balloon may be discarded some time later. Where the driver does
/// not tell, its buffer waits for the discard, so what cannot be discarded now never can.
bool Reclaimer::may_gather(const Part& part) const noexcept {
  return part.can_discard && (tells_host_ || (!part.huge && !inhibited()));
}

Tally Reclaimer::inflate(PageRun run, std::uint64_t now_us) noexcept {
  Tally tally;
  tally.outside = for_each_known_part(*blocks_, run, [&](const Part& part, auto) noexcept {
    const std::uint64_t fresh = ledger_->insert(part);
    tally.changed += fresh;
    tally.unchanged += part.pages - fresh;
    if (may_gather(part)) {
      window_->add(part, ledger_->complete(part.block), now_us);
    } else {
      retain(part);
    }
  });
  return tally;
}

void Reclaimer::retain(const Part& part) noexcept {
  counters_.retained_bytes.add(pages_to_bytes(part.pages));
  ledger_->keep(part);
}

Tally Reclaimer::deflate(PageRun run) noexcept {
  Tally tally;
  const auto leaves = [&](const Part& part, std::uint64_t first) noexcept {
    const std::uint64_t gone = ledger_->erase(part);
    tally.changed += gone;
    tally.unchanged += part.pages - gone;
    window_->remove(part);
    if (gone != 0 && part.can_discard && prefaulting_) {
      VB_CHECK(prefaults_.push(PageRun{first, part.pages}));
    }
  };
  tally.outside = for_each_known_part(*blocks_, run, leaves);
  // The guest fetches these by itself.
  if (!prefaulting_) limit_owed();
  return tally;
}

bool Reclaimer::report(GpaRange range) noexcept {
  const std::uint64_t first = bytes_to_pages(range.first.value + kPageSize - 1);
  const std::uint64_t end = bytes_to_pages(range.first.value + range.bytes);
  if (first >= end) return true;
  if (inhibited()) {
    counters_.retained_bytes.add(pages_to_bytes(end - first));
    return true;
  }
  return reports_.push(PageRun{first, end - first});
}

std::uint64_t Reclaimer::portion(GpaRange range, std::uint64_t bytes) const noexcept {
  if (range.bytes <= bytes) return range.bytes;
  // The page that holds the last byte, and the rest of its block.
  const std::uint64_t last = range.first.value + bytes - 1;
  const std::uint64_t page = bytes_to_pages(last);
  const std::uint64_t rest = blocks_->first_part(PageRun{page, UINT32_MAX}).pages;
  return std::min(range.bytes, pages_to_bytes(page + rest) - range.first.value);
}

void Reclaimer::pump(std::uint64_t now_us, bool everything) noexcept {
  if (blocks_ == nullptr || sink_ == nullptr) return;
  take_back();
  budget_ = sink_->bytes_per_pass();
  held_back_ = inhibited();
  // In this order: what is put there again must not be discarded afterwards.
  pump_reports();
  pump_prefaults();
  if (held_back_) {
    if (!tells_host_) keep_gathered();
  } else {
    if (everything) {
      window_->release_all();
    } else {
      window_->age(now_us);
      window_->shrink_to(limits_.window_pages);
    }
    pump_window();
  }
  static_cast<void>(send());
  show();
}

std::uint64_t Reclaimer::busy_from_us(std::uint64_t now_us) const noexcept {
  if (!busy()) return kNever;
  if (in_flight() || !reports_.empty()) return now_us;
  return now_us + window_->due_in_us(now_us);
}

void Reclaimer::pump_window() noexcept {
  while (budget_ != 0 && window_->any_ready()) {
    const gmem::Region& region = window_->next_region();
    if (!make_room(region, Account::kInflated)) return;
    add(region, *window_->take());
  }
}

/// Inhibited, and the driver does not tell: the buffers of these pages go back undiscarded, and the
/// pages may be in use from then on.
void Reclaimer::keep_gathered() noexcept {
  window_->release_all();
  while (const auto run = window_->take()) {
    blocks_->for_each_part(*run, [this](const Part& part) noexcept { retain(part); });
  }
}

void Reclaimer::pump_reports() noexcept {
  reports_.tidy();
  while (budget_ != 0 && !reports_.empty()) {
    const PageRun run = reports_.front();
    const gmem::Region* region = blocks_->memory().find(gpa_of(run.first));
    VB_CHECK(region != nullptr);
    const auto [index, pages, block, huge, can_discard] = blocks_->first_part(run);
    if (!can_discard || held_back_) {
      counters_.retained_bytes.add(pages_to_bytes(pages));
    } else {
      if (!make_room(*region, Account::kReported)) return;
      add(*region, PageRun{run.first, pages});
    }
    reports_.take(pages);
  }
}

void Reclaimer::pump_prefaults() noexcept {
  while (!prefaults_.empty()) {
    if (budget_ == 0) return;
    const PageRun run = prefaults_.front();
    const gmem::Region* region = blocks_->memory().find(gpa_of(run.first));
    VB_CHECK(region != nullptr);
    const PageRun part{run.first, blocks_->first_part(run).pages};
    const std::uint64_t pages = pages_to_fetch(*region, part);
    if (pages < part.pages && !discards_are_counted()) return;
    if (pages == 0) {
      prefaults_.take(part.pages);
      continue;
    }
    if (!make_room(*region, Account::kPrefaulted)) return;
    const PageRun fetched{run.first, pages};
    // The kernel rounds to host pages by itself, outward.
    open_->add(Piece{offset_of(*region, fetched), pages_to_bytes(pages)});
    const std::uint64_t host_bytes = host_bytes_of(*region, fetched);
    open_->host_bytes += host_bytes;
    owed_ -= host_bytes;
    budget_ -= std::min(budget_, std::max(pages_to_bytes(pages), kLeastShare));
    prefaults_.take(pages);
  }
  fetch_after_.reset();
  if (!in_flight()) limit_owed();
}

/// Whether all that was handed over when the first of the runs came has told what it freed. Not
/// what came since: a guest that goes on inflating would wait for its deflate buffer for ever.
bool Reclaimer::discards_are_counted() noexcept {
  if (!fetch_after_) fetch_after_ = handed_over();
  return passed(*fetch_after_);
}

/// As many pages from its first on as are owed; of a huge page all that the run has, or none.
std::uint64_t Reclaimer::pages_to_fetch(const gmem::Region& region, PageRun run) const noexcept {
  if (host_bytes_of(region, run) <= owed_) return run.pages;
  return region.backing.host_page == kPageSize ? bytes_to_pages(owed_) : 0;
}

/// What left the balloon is there again, whoever fetched it.
void Reclaimer::limit_owed() noexcept {
  owed_ = std::min(owed_, pages_to_bytes(ballooned_pages()));
}

/// An open batch for this file that has room. @return false: not in this pass.
bool Reclaimer::make_room(const gmem::Region& region, Account account) noexcept {
  const int fd = region.fd.get();
  const bool fits =
      open_ != nullptr && open_->fd == fd && open_->account == account && !open_->full();
  if (fits) return true;
  if (!send()) return false;
  if (submitted_ - completed_ < kInFlight) open_ = sink_->acquire();
  if (open_ == nullptr) {
    wait_for_room();
    return false;
  }
  waiting_ = false;
  open_->begin(this, fd, account);
  open_->huge_file = huge_file_of(region);
  if (account == Account::kPrefaulted && region.backing.huge_pages) {
    open_->mapping = region.host - region.file_offset;
  }
  return true;
}

HugeFile* Reclaimer::huge_file_of(const gmem::Region& region) const noexcept {
  if (huge_files_.empty()) return nullptr;
  return huge_files_[static_cast<std::size_t>(&region - blocks_->memory().regions().data())].get();
}

/// @pre make_room(). Only whole host pages: a hole in part of one zeroes it and frees nothing.
void Reclaimer::add(const gmem::Region& region, PageRun run) noexcept {
  const std::uint64_t host_page = region.backing.host_page;
  const std::uint64_t start = offset_of(region, run);
  const std::uint64_t first = (start + host_page - 1) / host_page * host_page;
  const std::uint64_t end = (start + pages_to_bytes(run.pages)) / host_page * host_page;
  if (first >= end) return;
  open_->add(Piece{first, end - first});
  if (open_->account == Account::kInflated) under_way_ += bytes_to_pages(end - first);
  budget_ -= std::min(budget_, std::max(end - first, kLeastShare));
}

}  // namespace vballoon::reclaim
