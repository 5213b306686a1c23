// SPDX-License-Identifier: BSD-3-Clause
#include "base/in_hand.hpp"

#include <atomic>
#include <utility>

#include "base/tenure.hpp"

namespace vballoon {
namespace {

/// Both are read by a signal handler on the same thread.
thread_local const void* volatile noted = nullptr;
thread_local const Tenure* volatile followed = nullptr;

std::atomic<const void*> the_suspect{nullptr};
static_assert(std::atomic<const void*>::is_always_lock_free);

}  // namespace

InHand::InHand(const void* whose) noexcept : before_(noted) {
  noted = whose;
}

InHand::~InHand() {
  noted = before_;
}

void InHand::set(const void* whose) noexcept {
  noted = whose;
}

void InHand::follow(const Tenure* tenure) noexcept {
  followed = tenure;
}

const void* InHand::now() noexcept {
  const Tenure* const tenure = followed;
  return tenure != nullptr ? tenure->at() : noted;
}

void InHand::suspect(const void* whose) noexcept {
  the_suspect.store(whose, std::memory_order_relaxed);
}

const void* InHand::suspected() noexcept {
  return the_suspect.load(std::memory_order_relaxed);
}

}  // namespace vballoon
