// SPDX-License-Identifier: BSD-3-Clause
#include "vm/ring_state.hpp"

#include "base/check.hpp"

namespace vballoon::vm {

void RingState::announce() noexcept {
  if (stage_ == Stage::kAbsent) stage_ = Stage::kReady;
  if (stage_ == Stage::kWithdrawn) stage_ = Stage::kSuspended;
}

void RingState::withdraw() noexcept {
  VB_CHECK(!served());
  if (stage_ == Stage::kReady) stage_ = Stage::kAbsent;
  if (stage_ == Stage::kSuspended) stage_ = Stage::kWithdrawn;
}

void RingState::start(wire::Role role) noexcept {
  VB_CHECK(ready() && !served());
  stage_ = Stage::kServed;
  role_ = role;
  begun_ = true;
}

void RingState::stop(std::uint16_t position) noexcept {
  VB_CHECK(served());
  stage_ = Stage::kReady;
  stopped_at_ = position;
}

void RingState::suspend(std::uint16_t position) noexcept {
  stop(position);
  stage_ = Stage::kSuspended;
}

void RingState::settle() noexcept {
  if (stage_ == Stage::kSuspended) stage_ = Stage::kReady;
  if (stage_ == Stage::kWithdrawn) stage_ = Stage::kAbsent;
}

void RingState::end() noexcept {
  VB_CHECK(!served());
  if (ready()) stage_ = Stage::kOver;
}

void RingState::kick() noexcept {
  if (stage_ == Stage::kOver) stage_ = Stage::kAbsent;
}

void RingState::take_up(const Past& past) noexcept {
  VB_CHECK(!served());
  generation_ = past.generation;
  begun_ = past.begun;
  stopped_at_ = past.stopped_at;
  if (past.over) {
    stage_ = Stage::kOver;
  } else if (past.served) {
    stage_ = ready() ? Stage::kSuspended : Stage::kWithdrawn;
  }
}

bool gap_below(const Rings& rings, unsigned index) noexcept {
  for (auto below = static_cast<unsigned>(wire::Role::kStats); below < index; ++below) {
    if (!rings[below].ready()) return true;
  }
  return false;
}

}  // namespace vballoon::vm
