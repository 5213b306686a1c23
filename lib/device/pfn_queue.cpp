// SPDX-License-Identifier: BSD-3-Clause
#include "device/pfn_queue.hpp"

#include <array>

namespace vballoon::device {
namespace {

/// How many of them, from the first on, are neighbours in that order. Compared with where they would
/// be, not each with the one before: so the processor need not wait for one to look at the next.
std::size_t ascending(std::span<const Pfn> pfns) noexcept {
  const std::uint64_t first = pfns.front().value;
  std::size_t count = 1;
  while (count < pfns.size() && pfns[count].value == first + count) ++count;
  return count;
}

std::size_t descending(std::span<const Pfn> pfns) noexcept {
  const std::uint64_t first = pfns.front().value;
  std::size_t count = 1;
  while (count < pfns.size() && pfns[count].value + std::uint64_t{count} == first) ++count;
  return count;
}

}  // namespace

void PfnQueue::serve() noexcept {
  std::array<Pfn, 257> pfns;
  for (std::size_t taken = 0; taken < kPagesPerPass && room_for(pfns.size()) && begin();) {
    const std::size_t count = current_->reader.read(pfns);
    take_all(std::span(pfns).first(count));
    taken += count;
    if (count == 0) {
      // A chain of empty descriptors is work too.
      taken += 1 + current_->reader.walk().hops();
      count_fault(current_->reader.walk());
      end(current_->head);
      current_.reset();
    }
  }
}

/// Drivers' pages mostly come in order, up or down: each is held against the run before it.
void PfnQueue::take_all(std::span<const Pfn> pfns) noexcept {
  while (!pfns.empty()) {
    std::size_t count = ascending(pfns);
    std::uint64_t first = pfns.front().value;
    if (count == 1) {
      count = descending(pfns);
      first -= count - 1;
    }
    take(reclaim::PageRun{first, count});
    pfns = pfns.subspan(count);
  }
}

bool PfnQueue::begin() noexcept {
  if (current_) return true;
  const auto head = ring_.pop();
  if (!head) return false;
  current_.emplace(
      Current{*head, PfnReader(ring_.walk(*head), ring_.memory(), context_.counters)});
  return true;
}

}  // namespace vballoon::device
