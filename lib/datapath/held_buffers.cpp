// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/held_buffers.hpp"

#include "base/check.hpp"

namespace vballoon::datapath {

HeldBuffers::HeldBuffers(std::size_t capacity) : slots_(capacity) {}

void HeldBuffers::push(Held held) noexcept {
  VB_CHECK(count_ < slots_.size());
  slots_[(first_ + count_) % slots_.size()] = held;
  ++count_;
}

void HeldBuffers::seal(reclaim::Fence fence) noexcept {
  for (std::size_t i = 0; unsealed_ != 0 && i < count_; ++i) {
    Held& held = slots_[(first_ + i) % slots_.size()];
    if (held.sealed) continue;
    held.fence = fence;
    held.sealed = true;
    --unsealed_;
  }
}

std::optional<virtq::Head> HeldBuffers::release(const reclaim::Handover& handover) noexcept {
  if (count_ == 0) return std::nullopt;
  const Held& oldest = slots_[first_];
  if (!oldest.sealed || !handover.passed(oldest.fence)) return std::nullopt;
  first_ = (first_ + 1) % slots_.size();
  --count_;
  return oldest.head;
}

}  // namespace vballoon::datapath
