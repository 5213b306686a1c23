// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/prefaults.hpp - pages that left the balloon and are put there again before their buffer
//                         is used, so that the guest's first touch does not wait for the host.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "reclaim/handover.hpp"
#include "reclaim/run_queue.hpp"

namespace vballoon::reclaim {

/// No more bytes are put there than the host got from the balloon since the guest, or this daemon,
/// began: a page without memory that the guest gives away comes back without memory.
class Prefaults {
 public:
  /// Any thread: whether it is done at all.
  void ask(bool on) noexcept { asked_.store(on, std::memory_order_relaxed); }
  [[nodiscard]] bool asked() const noexcept { return asked_.load(std::memory_order_relaxed); }

  /// What was asked for counts from here on: the check for room and the add() that relies on it
  /// must have the same answer.
  void begin_pass() noexcept { on_ = asked(); }
  [[nodiscard]] bool on() const noexcept { return on_; }
  /// Runs that are sure to fit before the next pump().
  [[nodiscard]] std::size_t room() const noexcept { return on_ ? runs_.room() : SIZE_MAX; }

  /// A run that left the balloon is to be put there. @pre there is room.
  void add(PageRun run) noexcept;
  /// No run waits to be handed over.
  [[nodiscard]] bool handed_over() const noexcept { return runs_.empty(); }

  /// Hands over what waits, as far as the pass's share goes and as much as is owed.
  void pump(const Gather& gather, Handover& handover) noexcept;

  /// What a batch freed is owed from now on; what it was to fetch and did not still is.
  void learn(const Batch& batch) noexcept;
  /// No more is owed than is in the balloon: what left it is there again, whoever fetched it.
  void limit_owed(std::uint64_t ballooned_pages) noexcept;
  /// The guest is another one.
  void forget() noexcept { owed_ = 0; }

 private:
  /// Runs that may wait: two buffers as Linux makes them, at their worst.
  static constexpr std::size_t kRuns = 2 * 512;

  [[nodiscard]] bool discards_are_counted(const Handover& handover) noexcept;
  [[nodiscard]] std::uint64_t pages_to_fetch(const gmem::Region& region,
                                             PageRun run) const noexcept;

  bool on_ = false;                  // what was asked for, as begin_pass() found it
  std::atomic<bool> asked_{false};   // set by the control thread, read by the owner
  std::uint64_t owed_ = 0;           // bytes that the host got from what is in the balloon, at most
  std::optional<Fence> wait_until_;  // for runs of which too little is owed
  RunQueue<kRuns> runs_;
};

}  // namespace vballoon::reclaim
