// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/window.hpp"

#include <algorithm>

namespace vballoon::reclaim {

Window::Window(const BlockMap& blocks, WindowAges ages)
    : blocks_(blocks), ages_(ages), pages_(blocks.memory().pages()), entries_(blocks.count()) {}

Window::List& Window::list_of(Place place) noexcept {
  return place == Place::kYoung ? young_ : place == Place::kOld ? old_ : ready_;
}

void Window::link(std::uint32_t id, Place place) noexcept {
  List& list = list_of(place);
  Entry& entry = entries_[id];
  entry.place = place;
  entry.previous = list.tail;
  entry.next = kNone;
  (list.tail == kNone ? list.head : entries_[list.tail].next) = id;
  list.tail = id;
  if (place == Place::kReady) ready_pages_ += entry.pages;
}

void Window::unlink(std::uint32_t id) noexcept {
  Entry& entry = entries_[id];
  if (entry.place == Place::kNowhere) return;
  if (entry.place == Place::kReady) ready_pages_ -= entry.pages;
  List& list = list_of(entry.place);
  (entry.previous == kNone ? list.head : entries_[entry.previous].next) = entry.next;
  (entry.next == kNone ? list.tail : entries_[entry.next].previous) = entry.previous;
  entry.place = Place::kNowhere;
}

void Window::move(std::uint32_t id, Place place) noexcept {
  unlink(id);
  link(id, place);
}

void Window::add(const Part& part, bool complete, std::uint64_t now_us) noexcept {
  // A huge page is freed whole or not at all: before it is complete there is nothing to wait with.
  if (part.huge && !complete) return;
  // Not `huge ? ... : part`: a copy of all of it costs more than the rest.
  part.huge ? gather(blocks_[part.block].part) : gather(part);
  Entry& entry = entries_[part.block];
  if (complete) {
    if (entry.place != Place::kReady) move(part.block, Place::kReady);
  } else if (entry.place == Place::kNowhere) {
    entry.since_us = static_cast<std::uint32_t>(now_us);
    link(part.block, Place::kYoung);
  }
}

void Window::gather(const Part& part) noexcept {
  const std::uint64_t fresh = pages_.set(part.index, part.pages);
  Entry& entry = entries_[part.block];
  entry.pages += static_cast<std::uint32_t>(fresh);
  gathered_ += fresh;
  if (entry.place == Place::kReady) ready_pages_ += fresh;
}

void Window::remove(const Part& part) noexcept {
  // A huge page that lost one of its pages is complete no longer.
  const Part lost = part.huge ? blocks_[part.block].part : part;
  const std::uint64_t gone = pages_.clear(lost.index, lost.pages);
  Entry& entry = entries_[part.block];
  entry.pages -= static_cast<std::uint32_t>(gone);
  gathered_ -= gone;
  if (entry.place == Place::kReady) ready_pages_ -= gone;
  if (entry.pages == 0) unlink(part.block);
}

bool Window::runs_are_long(std::uint32_t id) const noexcept {
  const Block block = blocks_[id];
  if (block.region->backing.huge_pages) return false;
  const std::uint64_t end = block.part.index + block.part.pages;
  std::uint64_t may_be = entries_[id].pages / kLongRunPages;  // runs, if they are long
  for (std::uint64_t at = pages_.next_set(block.part.index, end); at < end;) {
    if (may_be-- == 0) return false;
    at = pages_.next_set(pages_.next_clear(at, end), end);
  }
  return true;
}

void Window::age(std::uint64_t now_us) noexcept {
  while (young_.head != kNone && waited_us(young_.head, now_us) >= ages_.long_runs_us) {
    const std::uint32_t id = young_.head;
    move(id, runs_are_long(id) ? Place::kReady : Place::kOld);
  }
  while (old_.head != kNone && waited_us(old_.head, now_us) >= ages_.longest_us) {
    move(old_.head, Place::kReady);
  }
}

std::uint32_t Window::due_in_us(std::uint64_t now_us) const noexcept {
  if (any_ready()) return 0;
  const auto left = [&](const List& list, std::uint32_t wait_us) noexcept {
    if (list.head == kNone) return UINT32_MAX;
    return wait_us - std::min(wait_us, waited_us(list.head, now_us));
  };
  return std::min(left(young_, ages_.long_runs_us), left(old_, ages_.longest_us));
}

std::optional<std::uint32_t> Window::oldest() const noexcept {
  // A block is old because it is older than all that are young.
  if (old_.head != kNone) return old_.head;
  if (young_.head != kNone) return young_.head;
  return std::nullopt;
}

void Window::release_all() noexcept {
  for (auto id = oldest(); id; id = oldest()) move(*id, Place::kReady);
}

void Window::shrink_to(std::uint64_t pages) noexcept {
  for (auto id = oldest(); id && gathered_ - ready_pages_ > pages; id = oldest()) {
    move(*id, Place::kReady);
  }
}

std::optional<std::uint64_t> Window::late_page() const noexcept {
  for (const List* const list : {&young_, &old_, &ready_}) {
    if (list->tail == kNone) continue;
    const Part part = blocks_[list->tail].part;
    return pages_.next_set(part.index, part.index + part.pages);
  }
  return std::nullopt;
}

std::optional<PageRun> Window::take() noexcept {
  if (ready_.head == kNone) return std::nullopt;
  const std::uint32_t id = ready_.head;
  const Block block = blocks_[id];
  const std::uint64_t end = block.part.index + block.part.pages;
  const bool whole = entries_[id].pages == block.part.pages;
  const std::uint64_t first = whole ? block.part.index : pages_.next_set(block.part.index, end);
  const std::uint64_t last = whole ? end : pages_.next_clear(first, end);
  const PageRun run{block.run.first + (first - block.part.index), last - first};
  pages_.clear(first, run.pages);
  gathered_ -= run.pages;
  ready_pages_ -= run.pages;
  entries_[id].pages -= static_cast<std::uint32_t>(run.pages);
  if (entries_[id].pages == 0) unlink(id);
  return run;
}

}  // namespace vballoon::reclaim
