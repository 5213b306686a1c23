// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/gather_sized.cpp - pages of several sizes enter the balloon, and leave it.
#include "reclaim/gather.hpp"

namespace vballoon::reclaim {

bool Gather::enter(PageRun page, unsigned kind, std::uint64_t now_us) noexcept {
  VB_OWNED(owner_);
  SizedPages& sized = *tables_->sized;
  if (sized.touches(page)) return false;
  sized.add(page, kind);
  static_cast<void>(inflate(page, now_us));
  return true;
}

std::optional<PageRun> Gather::late_page(unsigned kind) const noexcept {
  const Tables& tables = *tables_;
  const auto at = tables.window.late_page();
  const auto page = at ? tables.sized->with(*at, kind) : std::nullopt;
  if (!page) return std::nullopt;
  std::uint64_t gathered = 0;
  tables.blocks.for_each_part(*page, [&](const Part& part) noexcept {
    gathered += tables.window.gathered().count(part.index, part.pages);
  });
  return gathered == page->pages ? page : std::nullopt;
}

void Gather::hold_back(PageRun page) noexcept {
  VB_OWNED(owner_);
  tables_->blocks.for_each_part(
      page, [this](const Part& part) noexcept { tables_->window.remove(part); });
}

void Gather::leave(PageRun page, unsigned kind) noexcept {
  VB_OWNED(owner_);
  static_cast<void>(deflate(page, [](PageRun) noexcept {}));
  tables_->sized->remove(page, kind);
}

}  // namespace vballoon::reclaim
