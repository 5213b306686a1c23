// SPDX-License-Identifier: BSD-3-Clause
//
// poll/poller.hpp - one poll lcore: the devices it serves, its mailbox, its idle strategy.
// Layer:  poll; may include base/ and device/. DPDK stays behind this header.
// Thread: run() is the lcore; attach() and detach() are for other threads, and answered by it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "base/counter.hpp"
#include "device/data_path.hpp"
#include "poll/idle.hpp"
#include "poll/mailbox.hpp"
#include "reclaim/batch.hpp"
#include "reclaim/engine.hpp"

namespace vballoon::poll {

/// What a poll lcore did so far; any thread may read.
struct PollerCounters {
  Counter passes;
  Counter busy_passes;
  Counter sleeps;
};

class Poller {
 public:
  /// @param lcore  the EAL lcore id it will run on; only shown to people.
  /// @param discarder  with which it discards itself, where there are no reclaim lcores.
  Poller(unsigned lcore, IdleStrategy idle, reclaim::Discarder& discarder);

  /// From now on reclaim lcores discard. @pre run() does not run yet; the engine outlives it.
  void use_engine(reclaim::Engine& engine, unsigned lane) noexcept;

  /// From the return on, the lcore owns the data path. Both block until the lcore answers, so run()
  /// must be running: start the lcore before the first device, stop it after the last.
  /// @param worker  the reclaim lcore that discards for it; no meaning without an engine.
  void attach(device::DataPath& path, unsigned worker);
  /// From the return on, the caller owns it again: the lcore has left it, no discard is on its way
  /// and no buffer is held.
  void detach(device::DataPath& path);

  /// The lcore's loop, until stop().
  void run();
  void stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  [[nodiscard]] unsigned lcore() const noexcept { return lcore_; }
  /// Attached now; any thread.
  [[nodiscard]] std::size_t devices() const noexcept {
    return device_count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] const PollerCounters& counters() const noexcept { return counters_; }

 private:
  /// A device that is served here; its watches lie at the same place in watches_.
  struct Slot {
    device::DataPath* path = nullptr;
    std::uint64_t look_again_us = 0;  // from when on, although nothing changed
  };
  static constexpr std::size_t kWatches = device::DataPath::kWatches;

  Found pass() noexcept;
  Found serve(std::size_t slot) noexcept;
  [[nodiscard]] bool anything_new(std::size_t slot) const noexcept;
  [[nodiscard]] std::span<device::Watch, kWatches> watches_of(std::size_t slot) noexcept;
  void add(device::DataPath& path);
  bool remove(device::DataPath& path);
  void read_mail();
  [[nodiscard]] bool answered(const Mailbox::Letter& letter);

  std::vector<device::Watch> watches_;   // kWatches a slot; lcore only, while run() runs
  std::vector<Slot> slots_;              // likewise
  bool clocked_ = false;                 // the last pass found slots that wait for their time
  device::DataPath* leaving_ = nullptr;  // on its way out, no longer served
  reclaim::Engine* engine_ = nullptr;
  unsigned lane_ = 0;
  Mailbox mailbox_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  std::atomic<std::size_t> device_count_{0};
  PollerCounters counters_;
  reclaim::InlineSink inline_sink_;
  const unsigned lcore_;
};

}  // namespace vballoon::poll
