// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/page_run.hpp"

#include <algorithm>

namespace vballoon::reclaim {
namespace {

bool by_address(PageRun a, PageRun b) noexcept { return a.first < b.first; }

}  // namespace

RunList::RunList(std::size_t capacity) : capacity_(capacity) { runs_.reserve(capacity); }

bool RunList::add(PageRun run) noexcept {
  if (!runs_.empty()) {
    PageRun& last = runs_.back();
    if (run.first == last.end()) {
      last.pages += run.pages;
      return true;
    }
    if (run.end() == last.first) {
      last.first = run.first;
      last.pages += run.pages;
      return true;
    }
  }
  if (runs_.size() == capacity_) return false;
  runs_.push_back(run);
  return true;
}

std::span<const PageRun> RunList::merged() noexcept {
  if (!std::is_sorted(runs_.begin(), runs_.end(), by_address)) {
    std::sort(runs_.begin(), runs_.end(), by_address);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (kept != 0 && runs_[i].first <= runs_[kept - 1].end()) {
      PageRun& into = runs_[kept - 1];
      into.pages = std::max(into.end(), runs_[i].end()) - into.first;
    } else {
      runs_[kept++] = runs_[i];
    }
  }
  runs_.resize(kept);
  return runs_;
}

}  // namespace vballoon::reclaim
