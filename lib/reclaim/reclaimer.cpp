// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/reclaimer.hpp"

#include <utility>

#include "base/check.hpp"

namespace vballoon::reclaim {

void Reclaimer::set_memory(std::shared_ptr<const gmem::GuestMemory> memory,
                           const LedgerRoom& room) {
  VB_CHECK(!in_flight());
  // Before the old ones go: files that stay keep their account.
  HugeFiles files = huge_files_of(*memory, reserve_);
  gather_.set_memory(std::move(memory), room);
  handover_.set_huge_files(std::move(files));
}

void Reclaimer::gather_all(std::uint64_t now_us) noexcept {
  VB_CHECK(!in_flight());
  gather_.gather_all(now_us);
}

void Reclaimer::keep_regions(std::uint32_t mask) noexcept {
  VB_CHECK(!in_flight());
  gather_.keep_regions(mask);
}

void Reclaimer::empty() {
  VB_CHECK(!in_flight());
  reports_.clear();
  returns_.clear();
  prefaults_.forget();
  gather_.empty();
}

void Reclaimer::release() noexcept {
  VB_CHECK(!in_flight());
  reports_.clear();
  returns_.clear();
  prefaults_.forget();
  handover_.set_huge_files({});
  gather_.release();
}

Tally Reclaimer::deflate(PageRun run) noexcept {
  // The guest fetches by itself what is not put there.
  if (!prefaults_.on()) {
    const Tally tally = gather_.deflate(run, [](PageRun) noexcept {});
    prefaults_.limit_owed(gather_.ballooned_pages());
    return tally;
  }
  return gather_.deflate(run, [this](PageRun left) noexcept { prefaults_.add(left); });
}

bool Reclaimer::report(GpaRange range) noexcept {
  const std::uint64_t first = bytes_to_pages(range.first.value + kPageSize - 1);
  const std::uint64_t end = bytes_to_pages(range.first.value + range.bytes);
  if (first >= end) return true;
  if (gather_.inhibited()) {
    counters_.retained_bytes.add(pages_to_bytes(end - first));
    return true;
  }
  return reports_.push(PageRun{first, end - first});
}

void Reclaimer::pump(std::uint64_t now_us, bool everything) noexcept {
  if (!gather_.has_memory() || !handover_.has_sink()) return;
  handover_.begin_pass();
  held_back_ = gather_.inhibited();
  // In this order: what is put there again must not be discarded afterwards.
  pump_reports();
  prefaults_.pump(gather_, handover_);
  returns_.pump(gather_, handover_, prefaults_.on());
  pump_window(now_us, everything);
  static_cast<void>(handover_.send());
  show();
}

void Reclaimer::pump_reports() noexcept {
  reports_.tidy();
  while (!handover_.spent() && !reports_.empty()) {
    const PageRun run = reports_.front();
    const gmem::Region* region = gather_.memory().find(gpa_of(run.first));
    VB_CHECK(region != nullptr);
    const auto [index, pages, block, huge, can_discard] = gather_.blocks().first_part(run);
    if (!can_discard || held_back_) {
      counters_.retained_bytes.add(pages_to_bytes(pages));
    } else {
      if (!handover_.make_room(*region, Account::kReported)) return;
      handover_.discard(*region, PageRun{run.first, pages});
    }
    reports_.take(pages);
  }
}

void Reclaimer::pump_window(std::uint64_t now_us, bool everything) noexcept {
  if (held_back_) {
    if (!gather_.tells_host()) gather_.keep_waiting();
    return;
  }
  gather_.let_out(now_us, everything);
  while (!handover_.spent() && gather_.any_ready()) {
    const gmem::Region& region = gather_.next_region();
    if (!handover_.make_room(region, Account::kInflated)) return;
    handover_.discard(region, gather_.take());
  }
}

std::uint64_t Reclaimer::busy_from_us(std::uint64_t now_us) const noexcept {
  if (!busy()) return kNever;
  if (in_flight() || !reports_.empty()) return now_us;
  return now_us + gather_.due_in_us(now_us);
}

void Reclaimer::show() noexcept {
  gather_.show();
  handover_.show();
}

}  // namespace vballoon::reclaim
