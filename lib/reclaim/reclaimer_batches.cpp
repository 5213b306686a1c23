// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/reclaimer_batches.cpp - a device's batches, handed over and taken back.
#include <utility>

#include "reclaim/reclaimer.hpp"

namespace vballoon::reclaim {

/// Hands the open batch over, if there is one. @return false when the way is full.
bool Reclaimer::send() noexcept {
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
void Reclaimer::take_back() noexcept {
  while (completed_ != submitted_) {
    Batch* const oldest = on_way_[completed_ % kInFlight];
    if (!oldest->done.load(std::memory_order_acquire)) return;
    complete(*oldest);
    sink_->release(oldest);
  }
}

/// Counts waits, not the passes that they last.
void Reclaimer::wait_for_room() noexcept {
  if (!std::exchange(waiting_, true)) counters_.sink_full.add(1);
}

Done& Reclaimer::done_on(Account account) noexcept {
  switch (account) {
    case Account::kInflated:
      return counters_.inflated;
    case Account::kReported:
      return counters_.reported;
    case Account::kPrefaulted:
      break;
  }
  return counters_.prefaulted;
}

void Reclaimer::complete(const Batch& batch) noexcept {
  if (batch.uncovered) {
    counters_.retained_bytes.add(batch.bytes);
    counters_.uncovered_bytes.add(batch.bytes);
  } else {
    Done& done = done_on(batch.account);
    done.calls.add(batch.count - batch.skipped);
    if (batch.account != Account::kPrefaulted) counters_.retained_bytes.add(batch.skipped_bytes);
    done.bytes.add(batch.done_bytes);
    const bool fetched = batch.account == Account::kPrefaulted;
    (fetched ? counters_.failed_prefaults : counters_.failed_calls).add(batch.failed);
  }
  ++completed_;
  if (batch.account == Account::kInflated) owed_ += batch.moved_bytes;
  if (batch.account == Account::kPrefaulted) owed_ += batch.host_bytes - batch.moved_bytes;
  if (batch.account == Account::kInflated) learn(batch);
  show();
}

/// What became of the balloon's pages in a batch.
void Reclaimer::learn(const Batch& batch) noexcept {
  under_way_ -= bytes_to_pages(batch.bytes);
  if (batch.refused == 0 && ledger_->kept() == 0) return;
  for (const gmem::Region& region : blocks_->memory().regions()) {
    if (region.fd.get() != batch.fd) continue;
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const Piece& piece = batch.pieces[i];
      const bool refused = ((batch.refused >> i) & 1) != 0;
      const PageRun run{page_of(region.first) + bytes_to_pages(piece.offset - region.file_offset),
                        bytes_to_pages(piece.bytes)};
      blocks_->for_each_part(run, [&](const Part& part) noexcept {
        refused ? ledger_->keep(part) : ledger_->give(part);
      });
    }
  }
}

}  // namespace vballoon::reclaim
