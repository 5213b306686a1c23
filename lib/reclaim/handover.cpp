// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/handover.hpp"

#include <algorithm>
#include <utility>

#include "reclaim/gather.hpp"
#include "reclaim/huge/reserve.hpp"
#include "reclaim/prefaults.hpp"
#include "reclaim/returns.hpp"

namespace vballoon::reclaim {
namespace {

/// A call costs as much as some 16 pages, so that much is the least it takes of a pass's share.
constexpr std::uint64_t kLeastShare = 64 * kKiB;
/// A huge page that makes a hole longer.
constexpr std::uint64_t kJoinedShare = kLeastShare / 4;

std::uint64_t offset_of(const gmem::Region& region, PageRun run) noexcept {
  return region.file_offset + (gpa_of(run.first).value - region.first.value);
}

Done& done_on(Account account, ReclaimCounters& counters) noexcept {
  switch (account) {
    case Account::kInflated:
      return counters.inflated;
    case Account::kReported:
      return counters.reported;
    case Account::kPrefaulted:
    case Account::kReturned:
      break;
  }
  return counters.prefaulted;
}

}  // namespace

HugeFiles huge_files_of(const gmem::GuestMemory& memory, HugeReserve* reserve) {
  HugeFiles files;
  if (reserve == nullptr) return files;
  for (const gmem::Region& region : memory.regions()) {
    const bool huge = region.backing.host_page > kPageSize;
    files.push_back(huge ? reserve->watch(region.fd.get(), region.backing.host_page) : nullptr);
  }
  return files;
}

std::uint64_t host_bytes_of(const gmem::Region& region, PageRun run) noexcept {
  const std::uint64_t page = region.backing.host_page;
  const std::uint64_t start = offset_of(region, run);
  return (start + pages_to_bytes(run.pages) + page - 1) / page * page - start / page * page;
}

void Handover::begin_pass() noexcept {
  take_back();
  budget_ = sink_->bytes_per_pass();
}

bool Handover::make_room(const gmem::Region& region, Account account) noexcept {
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
  if (!fetches(account) && makes_long_holes(region)) {
    open_->room = Batch::kHugePages * region.backing.host_page;
  }
  if (fetches(account) && region.backing.huge_pages) {
    open_->mapping = region.host - region.file_offset;
  }
  return true;
}

/// Huge pages that are given back make long holes, but for one case: where a pool has to be able to
/// give back all of a batch, batches stay small.
bool Handover::makes_long_holes(const gmem::Region& region) const noexcept {
  return region.backing.host_page > kPageSize && huge_file_of(region) == nullptr;
}

HugeFile* Handover::huge_file_of(const gmem::Region& region) const noexcept {
  if (huge_files_.empty()) return nullptr;
  return huge_files_[static_cast<std::size_t>(&region - gather_.memory().regions().data())].get();
}

void Handover::discard(const gmem::Region& region, PageRun run) noexcept {
  const std::uint64_t host_page = region.backing.host_page;
  const std::uint64_t start = offset_of(region, run);
  const std::uint64_t first = (start + host_page - 1) / host_page * host_page;
  const std::uint64_t end = (start + pages_to_bytes(run.pages)) / host_page * host_page;
  if (first >= end) return;
  const Piece piece{first, end - first};
  const bool long_holes = makes_long_holes(region);
  // The kernel refuses a hole because of the file, not because of one page. So one hole for many
  // pages loses nothing.
  if (long_holes && open_->join(piece)) return spend(0, kJoinedShare);
  open_->add(piece);
  spend(long_holes ? 0 : piece.bytes, kLeastShare);
}

void Handover::fetch(const gmem::Region& region, PageRun run) noexcept {
  // The kernel rounds to host pages by itself, outward.
  open_->add(Piece{offset_of(region, run), pages_to_bytes(run.pages)});
  open_->host_bytes += host_bytes_of(region, run);
  spend(pages_to_bytes(run.pages), kLeastShare);
}

void Handover::spend(std::uint64_t bytes, std::uint64_t least) noexcept {
  budget_ -= std::min(budget_, std::max(bytes, least));
}

bool Handover::send() noexcept {
  if (open_ == nullptr) return true;
  // Before submit(), which may complete it at once.
  on_way_[submitted_++ % kInFlight] = open_;
  if (sink_->submit(open_)) {
    open_ = nullptr;
    waiting_ = false;
    return true;
  }
  --submitted_;
  wait_for_room();
  return false;
}

/// What was carried out. One that was done before an older one waits for it: fences pass in order.
void Handover::take_back() noexcept {
  while (completed_ != submitted_) {
    Batch* const oldest = on_way_[completed_ % kInFlight];
    if (!oldest->done.load(std::memory_order_acquire)) return;
    complete(*oldest);
    sink_->release(oldest);
  }
}

/// Counts waits, not the passes that they last.
void Handover::wait_for_room() noexcept {
  if (!std::exchange(waiting_, true)) counters_.sink_full.add(1);
}

void Handover::complete(const Batch& batch) noexcept {
  count(batch);
  ++completed_;
  prefaults_.learn(batch);
  if (batch.account == Account::kInflated) gather_.learn(batch);
  if (batch.account == Account::kReturned) returns_.learn(batch, gather_.memory());
  gather_.show();
  show();
}

void Handover::count(const Batch& batch) noexcept {
  if (batch.uncovered) {
    counters_.retained_bytes.add(batch.bytes);
    counters_.uncovered_bytes.add(batch.bytes);
    return;
  }
  const bool fetched = fetches(batch.account);
  Done& done = done_on(batch.account, counters_);
  done.calls.add(batch.calls);
  done.bytes.add(batch.done_bytes);
  if (!fetched) counters_.retained_bytes.add(batch.skipped_bytes);
  counters_.holes.add(batch.holes);
  (fetched ? counters_.failed_prefaults : counters_.failed_calls).add(batch.failed);
}

}  // namespace vballoon::reclaim
