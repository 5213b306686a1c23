// SPDX-License-Identifier: BSD-3-Clause
#include "device/pfn_queue.hpp"

#include <array>

namespace vballoon::device {

void PfnQueue::serve() noexcept {
  std::array<Pfn, 257> pfns;
  for (std::size_t taken = 0; taken < kPagesPerPass && begin();) {
    const std::size_t count = current_->reader.read(pfns);
    for (std::size_t i = 0; i < count; ++i) take(pfns[i]);
    taken += count;
    if (count == 0) {
      // A chain of empty descriptors is work too.
      taken += 1 + current_->reader.walk().hops();
      finish(current_->head, current_->reader.walk());
      current_.reset();
    }
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
