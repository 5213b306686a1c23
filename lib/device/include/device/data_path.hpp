// SPDX-License-Identifier: BSD-3-Clause
//
// device/data_path.hpp - one device's queues and memory, as its owner works on them.
// Layer:  device; may include base/, gmem/, virtq/, balloon/ and reclaim/.
// Thread: one owner at a time: the poll lcore while it is attached there, else the vhost event
//         thread. Only what says so may be called by others.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "balloon/queue_map.hpp"
#include "device/counters.hpp"
#include "device/queue_handler.hpp"
#include "device/stats_queue.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::device {

class DataPath {
 public:
  DataPath(const balloon::ConfigSpace& config, reclaim::Discarder& discarder);
  DataPath(const DataPath&) = delete;
  DataPath& operator=(const DataPath&) = delete;

  // --- The owner, on a poll lcore -----------------------------------------------------------

  /// One pass over the queues: serve, discard, publish. Makes no system call and returns false
  /// when there is nothing to do.
  bool poll() noexcept;

  // --- The owner, off the lcore -------------------------------------------------------------

  /// Begins to serve a queue. @pre set_memory() was called; the role does not run.
  /// @errors kInvalidArgument when the ring cannot be as the front end described it.
  Result<void> start(balloon::Role role, const QueueSetup& setup);

  /// Finishes what was begun, publishes it and stops serving. Buffers that were taken and not
  /// returned will be taken again. @return where the ring goes on. @pre the role runs.
  std::uint16_t stop(balloon::Role role) noexcept;

  [[nodiscard]] bool running(balloon::Role role) const noexcept;
  [[nodiscard]] bool any_running() const noexcept;

  /// Another memory map; pages that are still there stay ballooned. @pre no queue runs.
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory);

  /// What the driver acknowledged.
  void set_features(balloon::Features acked) noexcept;

  /// The driver was reset: the balloon is empty, and whatever is in it is the guest's again.
  void empty_balloon();

  /// The driver is a new one: what statistics there are describe another guest.
  void forget_stats() noexcept { stats_.newest.store(StatsRecord{}); }

  /// The VMM is gone: forgets its memory. @pre no queue runs.
  void release() noexcept;

  // --- Any thread ---------------------------------------------------------------------------

  void request_stats() noexcept;
  [[nodiscard]] StatsRecord newest_stats() const noexcept { return stats_.newest.load(); }
  [[nodiscard]] const DeviceCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const reclaim::ReclaimCounters& reclaim_counters() const noexcept {
    return reclaimer_.counters();
  }
  [[nodiscard]] const QueueStatus& status(balloon::Role role) const noexcept {
    return status_[static_cast<std::size_t>(role)];
  }

 private:
  [[nodiscard]] std::unique_ptr<QueueHandler> make_handler(balloon::Role role, Ring ring,
                                                           bool resumed);
  void publish_all() noexcept;
  void show_population() noexcept;

  std::array<std::unique_ptr<QueueHandler>, balloon::kRoles> handlers_;
  DeviceCounters counters_;
  reclaim::Reclaimer reclaimer_;
  DeviceContext context_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  std::array<QueueStatus, balloon::kRoles> status_;
  StatsExchange stats_;
};

}  // namespace vballoon::device
