// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/reclaimer.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace vballoon::reclaim {
namespace {

/// Runs that a pass may gather before it has to discard: 64 KiB a device at 16 bytes each.
constexpr std::size_t kWindowRuns = 2048;

/// The longest hole of one call. Longer calls gain nothing on 4 KiB memory, and the kernel does not
/// return before it is done: 2 MiB take 0.1 to 0.2 ms.
constexpr std::uint64_t kCallBytes = 2 * kMiB;

}  // namespace

Reclaimer::Reclaimer(Discarder& discarder)
    : discarder_(discarder), balloon_runs_(kWindowRuns), report_runs_(kWindowRuns) {}

void Reclaimer::set_memory(std::shared_ptr<const gmem::GuestMemory> memory) {
  VB_CHECK(balloon_runs_.empty() && report_runs_.empty());
  auto ledger = std::make_unique<Ledger>(std::move(memory));
  if (ledger_) ledger->adopt(*ledger_);
  ledger_ = std::move(ledger);
}

void Reclaimer::reset() {
  balloon_runs_.clear();
  report_runs_.clear();
  if (ledger_) ledger_ = std::make_unique<Ledger>(ledger_->share_memory());
}

void Reclaimer::release() noexcept {
  balloon_runs_.clear();
  report_runs_.clear();
  ledger_.reset();
}

Outcome Reclaimer::inflate(Pfn pfn) noexcept {
  const Ledger::Inserted inserted = ledger_->insert(pfn);
  if (!inserted.in_memory) return Outcome::kOutsideMemory;
  if (inserted.whole.pages != 0) gather(balloon_runs_, inserted.whole);
  return inserted.fresh ? Outcome::kDone : Outcome::kAlreadyThere;
}

Outcome Reclaimer::deflate(Pfn pfn) noexcept {
  switch (ledger_->erase(pfn)) {
    case Ledger::Erased::kOutsideMemory: return Outcome::kOutsideMemory;
    case Ledger::Erased::kNotIn: return Outcome::kNotThere;
    case Ledger::Erased::kErased: break;
  }
  return Outcome::kDone;
}

void Reclaimer::report(GpaRange range) noexcept {
  // Only whole pages are free; what is left over at the edges belongs to somebody.
  const std::uint64_t first = bytes_to_pages(range.first.value + kPageSize - 1);
  const std::uint64_t end = bytes_to_pages(range.first.value + range.bytes);
  if (first < end) gather(report_runs_, PageRun{first, end - first});
}

void Reclaimer::gather(RunList& list, PageRun run) noexcept {
  if (list.add(run)) return;
  flush();
  VB_CHECK(list.add(run));
}

void Reclaimer::flush() noexcept {
  flush_balloon();
  flush_reports();
}

void Reclaimer::flush_balloon() noexcept {
  for (PageRun rest : balloon_runs_.merged()) {
    // Pages that were deflated since they were gathered are the guest's again.
    for (PageRun in = ledger_->first_run(rest); in.pages != 0; in = ledger_->first_run(rest)) {
      discard(in, counters_.inflated);
      rest = PageRun{in.end(), rest.end() - in.end()};
    }
  }
  balloon_runs_.clear();
}

void Reclaimer::flush_reports() noexcept {
  for (const PageRun run : report_runs_.merged()) discard(run, counters_.reported);
  report_runs_.clear();
}

void Reclaimer::discard(PageRun run, Freed& freed) noexcept {
  while (run.pages != 0) {
    const Gpa gpa{pages_to_bytes(run.first)};
    const gmem::Region* region = ledger_->memory().find(gpa);
    VB_CHECK(region != nullptr);
    const std::uint64_t bytes =
        std::min(pages_to_bytes(run.pages), region->end().value - gpa.value);
    discard_in_region(*region, gpa.value - region->first.value, bytes, freed);
    run.first += bytes_to_pages(bytes);
    run.pages -= bytes_to_pages(bytes);
  }
}

void Reclaimer::discard_in_region(const gmem::Region& region, std::uint64_t offset,
                                  std::uint64_t bytes, Freed& freed) noexcept {
  if (!region.backing.can_discard) {
    counters_.retained_bytes.add(bytes);
    return;
  }
  const std::uint64_t host_page = region.backing.host_page;
  const std::uint64_t step = std::max(kCallBytes, host_page);
  // A hole in part of a host page zeroes it and frees nothing, so only whole ones are punched.
  std::uint64_t at = (region.file_offset + offset + host_page - 1) / host_page * host_page;
  const std::uint64_t end = (region.file_offset + offset + bytes) / host_page * host_page;
  while (at < end) {
    const std::uint64_t piece = std::min(end, (at / step + 1) * step) - at;
    const bool done = discarder_.discard(region.fd.get(), at, piece);
    freed.calls.add(1);
    if (done) {
      freed.bytes.add(piece);
    } else {
      counters_.failed_calls.add(1);
    }
    at += piece;
  }
}

}  // namespace vballoon::reclaim
