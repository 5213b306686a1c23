// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/ledger.hpp"

#include <algorithm>

namespace vballoon::reclaim {

namespace {

Bitmap bits_in(const BlockMap& blocks, const LedgerRoom& room) {
  const std::uint64_t pages = blocks.memory().pages();
  return room.words.empty() ? Bitmap(pages) : Bitmap(pages, room.words, room.touched);
}

}  // namespace

Ledger::Ledger(const BlockMap& blocks, const LedgerRoom& room)
    : blocks_(blocks),
      pages_(bits_in(blocks, room)),
      inside_(blocks.count()),
      kept_in_(blocks.count()) {
  if (room.words.empty()) return;
  if (room.filled) {
    recount();
  } else {
    pages_.clear_all();
  }
}

void Ledger::recount() noexcept {
  for_each_block([this](const Block& block) noexcept {
    const Part& part = block.part;
    const std::uint64_t in = pages_.count(part.index, part.pages);
    inside_[part.block] = static_cast<std::uint32_t>(in);
    population_ += in;
    if (part.huge && !complete(part.block)) stranded_ += in;
  });
}

std::uint64_t Ledger::insert(const Part& part) noexcept {
  const std::uint64_t fresh = pages_.set(part.index, part.pages);
  inside_[part.block] += static_cast<std::uint32_t>(fresh);
  population_ += fresh;
  if (part.huge && fresh != 0) {
    stranded_ += fresh;
    if (complete(part.block)) stranded_ -= blocks_.complete_at(part.block);
  }
  return fresh;
}

std::uint64_t Ledger::erase(const Part& part) noexcept {
  const bool was_complete = complete(part.block);
  const std::uint64_t gone = pages_.clear(part.index, part.pages);
  inside_[part.block] -= static_cast<std::uint32_t>(gone);
  population_ -= gone;
  if (part.huge && gone != 0) {
    if (was_complete) stranded_ += blocks_.complete_at(part.block);
    stranded_ -= gone;
    set_kept(part.block, 0);
  }
  set_kept(part.block, std::min(kept_in_[part.block], inside_[part.block]));
  return gone;
}

void Ledger::keep(const Part& part) noexcept {
  if (part.huge && !complete(part.block)) return;
  const std::uint64_t more = part.huge ? inside_[part.block] : pages_.count(part.index, part.pages);
  set_kept(part.block, std::min<std::uint64_t>(kept_in_[part.block] + more, inside_[part.block]));
}

void Ledger::give(const Part& part) noexcept {
  const std::uint64_t given = pages_.count(part.index, part.pages);
  set_kept(part.block, std::min<std::uint64_t>(kept_in_[part.block], inside_[part.block] - given));
}

void Ledger::set_kept(std::uint32_t block, std::uint64_t pages) noexcept {
  kept_ = kept_ - kept_in_[block] + pages;
  kept_in_[block] = static_cast<std::uint32_t>(pages);
}

}  // namespace vballoon::reclaim
