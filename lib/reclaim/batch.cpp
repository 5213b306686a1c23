// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/batch.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/handover.hpp"
#include "reclaim/huge/reserve.hpp"

namespace vballoon::reclaim {

namespace {

bool carry_out(Batch& batch, const Piece& piece, Discarder& discarder) noexcept {
  ++batch.calls;
  if (!fetches(batch.account)) {
    return discarder.discard(batch.fd, piece.offset, piece.bytes);
  }
  std::byte* mapping = batch.mapping != nullptr ? batch.mapping + piece.offset : nullptr;
  return discarder.provide(batch.fd, piece.offset, piece.bytes, mapping);
}

/// The guest may touch other pages meanwhile, and the file grows. Then too small a figure is noted,
/// never too large a one.
void note_moved(Batch& batch, std::uint64_t before, std::uint64_t after) noexcept {
  const bool fetched = fetches(batch.account);
  if (fetched) std::swap(before, after);
  const std::uint64_t most = fetched ? batch.host_bytes : batch.done_bytes;
  batch.moved_bytes = std::min(before - std::min(before, after), most);
}

bool hurried(const Batch& batch) noexcept {
  return batch.owner != nullptr && batch.owner->conduct()->hurried();
}

void carry_out_pieces(Batch& batch, Discarder& discarder) noexcept {
  const std::uint64_t before = discarder.allocated(batch.fd);
  const bool fetched = fetches(batch.account);
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    if (hurried(batch)) {
      ++batch.skipped;
      batch.skipped_bytes += batch.pieces[i].bytes;
      batch.refused |= std::uint64_t{1} << i;
    } else if (carry_out(batch, batch.pieces[i], discarder)) {
      batch.done_bytes += batch.pieces[i].bytes;
      if (!fetched) batch.holes.add(batch.pieces[i].bytes);
    } else {
      ++batch.failed;
      batch.refused |= std::uint64_t{1} << i;
    }
  }
  note_moved(batch, before, discarder.allocated(batch.fd));
}

}  // namespace

void carry_out(Batch& batch, Discarder& discarder) noexcept {
  if (batch.huge_file == nullptr || fetches(batch.account)) {
    return carry_out_pieces(batch, discarder);
  }
  if (batch.huge_file->begin(batch.bytes)) {
    carry_out_pieces(batch, discarder);
    batch.huge_file->gave(batch.bytes, batch.done_bytes);
  } else {
    batch.uncovered = true;
    batch.refused = (std::uint64_t{1} << batch.count) - 1;
  }
}

Batch* InlineSink::acquire() noexcept {
  if (in_use_) return nullptr;
  in_use_ = true;
  return &batch_;
}

bool InlineSink::submit(Batch* batch) noexcept {
  VB_CHECK(batch == &batch_ && in_use_);
  carry_out(*batch, discarder_);
  in_use_ = false;
  batch->owner->complete(*batch);
  return true;
}

}  // namespace vballoon::reclaim
