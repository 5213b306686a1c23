// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/requests.hpp - what device 13 asks of its driver, and what the driver says of itself.
// Outlives the queues.
// Thread: as each member says.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/counter.hpp"
#include "base/snapshot.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::datapath {

/// The newest STATE of a driver: its claims (DEV-20).
struct StateRecord {
  wire::large::State state;
  wire::large::Reason reason = wire::large::Reason::kReached;
  std::uint32_t serial = 0;    ///< of the target that it is about
  std::uint64_t sequence = 0;  ///< 0: none came yet
  std::uint64_t taken_ms = 0;  ///< steady clock
};

struct Requests {
  /// Raised by any thread: the driver is to be told its target, whether it changed or not.
  std::atomic<std::uint64_t> targets{0};
  /// What finding pages may cost the guest; set by the control thread.
  std::atomic<std::uint16_t> effort{static_cast<std::uint16_t>(wire::large::Effort::kReclaim)};

  // Written by the data path's owner; the pointer is its own.
  std::atomic<std::uint64_t> told{0};    ///< of `targets`, those that the driver was told
  Counter serial;                        ///< of the newest RESIZE
  std::uint32_t* kept_serial = nullptr;  ///< where the next process finds it; null: nowhere
  Snapshot<StateRecord> state;

  /// The serial of the next RESIZE.
  std::uint32_t next_serial() noexcept {
    const auto next = static_cast<std::uint32_t>(serial.get() + 1);
    serial.set(next);
    if (kept_serial != nullptr) __atomic_store_n(kept_serial, next, __ATOMIC_RELEASE);
    return next;
  }
  /// Any thread: whether a word about the target of this serial is about the newest target. Not so
  /// while that one waits for a buffer of the driver's.
  [[nodiscard]] bool is_newest(std::uint32_t of) const noexcept {
    // Acquire: whoever sees that the newest target was told sees its serial.
    return told.load(std::memory_order_acquire) == targets.load(std::memory_order_relaxed) &&
           serial.get() == of;
  }
  /// Serials go on from what another process kept there, and are kept there from now on.
  void keep_serial_in(std::uint32_t* word) noexcept {
    kept_serial = word;
    if (word == nullptr) return;
    if (serial.get() == 0) serial.set(*word);
    __atomic_store_n(word, static_cast<std::uint32_t>(serial.get()), __ATOMIC_RELEASE);
  }
};

}  // namespace vballoon::datapath
