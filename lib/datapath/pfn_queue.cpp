// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/pfn_queue.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace vballoon::datapath {
namespace {

/// Numbers that are looked at together: few instructions, for want of a branch between them.
constexpr std::uint32_t kStride = 16;

template <int kStep>
bool all_in_step(const Pfn* pfns, std::uint32_t first) noexcept {
  std::uint32_t differences = 0;
  for (std::uint32_t i = 0; i < kStride; ++i) {
    differences |= pfns[i].value ^ (first + static_cast<std::uint32_t>(kStep) * i);
  }
  return differences == 0;
}

/// How many of them, from the first on, go up (kStep 1) or down (kStep -1) by one each. Compared
/// with where they would be, not each with the one before: so the processor need not wait for one
/// to look at the next.
template <int kStep>
std::size_t in_step(std::span<const Pfn> pfns) noexcept {
  const std::uint32_t first = pfns.front().value;
  const auto expected = [first](std::size_t i) noexcept {
    return first + static_cast<std::uint32_t>(kStep) * static_cast<std::uint32_t>(i);
  };
  // Where 32 bits end, the run does too.
  const std::uint64_t left =
      kStep > 0 ? (std::uint64_t{1} << 32) - first : std::uint64_t{first} + 1;
  const std::size_t end = std::min<std::uint64_t>(pfns.size(), left);
  if (end < 2 || pfns[1].value != expected(1)) return 1;
  std::size_t count = 2;
  while (count + kStride <= end && all_in_step<kStep>(&pfns[count], expected(count))) {
    count += kStride;
  }
  while (count < end && pfns[count].value == expected(count)) ++count;
  return count;
}

}  // namespace

void PfnQueue::serve() noexcept {
  std::array<Pfn, 257> pfns;
  const reclaim::Conduct& conduct = *context_.reclaimer.conduct();
  const auto goes_on = [&] { return !conduct.hurried() && room_for(pfns.size()) && begin(); };
  for (std::size_t taken = 0; taken < kPagesPerPass && goes_on();) {
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
    std::size_t count = in_step<1>(pfns);
    std::uint64_t first = pfns.front().value;
    if (count == 1) {
      count = in_step<-1>(pfns);
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
  current_.emplace(Current{*head, PfnReader(ring_.walk(*head), ring_.memory(), context_.counters)});
  return true;
}

}  // namespace vballoon::datapath
