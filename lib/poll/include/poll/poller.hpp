// SPDX-License-Identifier: BSD-3-Clause
//
// poll/poller.hpp - one poll lcore: the devices it serves, its mailbox, its idle strategy.
// Layer:  poll; may include base/ and device/. DPDK stays behind this header.
// Thread: run() is the lcore; attach() and detach() are for other threads, and answered by it.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/counter.hpp"
#include "device/data_path.hpp"
#include "poll/idle.hpp"
#include "poll/mailbox.hpp"

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
  Poller(unsigned lcore, IdleStrategy idle);

  /// From the return on, the lcore owns the data path. Both block until the lcore answers, so run()
  /// must be running: start the lcore before the first device, stop it after the last.
  void attach(device::DataPath& path);
  /// From the return on, the caller owns it again: the lcore has left it and holds nothing of it.
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
  bool pass() noexcept;
  void read_mail();

  std::vector<device::DataPath*> paths_;  // lcore only, while run() runs
  Mailbox mailbox_;
  Idle idle_;
  std::atomic<bool> stopping_{false};  // set by stop(), read by the lcore
  std::atomic<std::size_t> device_count_{0};
  PollerCounters counters_;
  const unsigned lcore_;
};

}  // namespace vballoon::poll
