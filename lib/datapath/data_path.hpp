// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/data_path.hpp - one device's queues and memory, as its owner works on them.
// It has one owner at a time: the poll lcore while it is attached there, else whoever holds the
// device. Only what says so may be called by others.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/owner.hpp"
#include "base/result.hpp"
#include "datapath/counters.hpp"
#include "datapath/queues.hpp"
#include "reclaim/reclaimer.hpp"
#include "wire/queue_map.hpp"

namespace vballoon::datapath {

/// Who serves a data path; only poll/ knows what that is.
class Carrier {};

class DataPath {
 public:
  DataPath(const datapath::ConfigSpace& config, reclaim::ReclaimLimits limits);
  DataPath(const DataPath&) = delete;
  DataPath& operator=(const DataPath&) = delete;

  /// Taken by the thread of a poll lcore that begins to serve it, released when it is detached.
  [[nodiscard]] Owner& owner() noexcept { return owner_; }

  // --- The owner, on a poll lcore -----------------------------------------------------------

  /// One pass over the queues: serve, publish, hand over what is ready to be discarded, publish
  /// what waited for that. @return false when nothing moved; then it made no system call either.
  bool poll() noexcept;
  /// Whether all that the last poll() moved were answers and messages. Of these a guest sends one;
  /// behind a buffer of the other queues there comes another.
  [[nodiscard]] bool lone() const noexcept { return lone_; }

  /// Each queue that runs, and the requests of other threads.
  static constexpr std::size_t kWatches = wire::kQueues + 1;
  /// What must change before poll() finds something, once it is at rest.
  void watch(std::span<Watch, kWatches> out) const noexcept;
  /// From when on poll() is to be called although nothing changed, on the clock of now_us(): at
  /// once where something is half done, later where something only waits for its time. kNever: not
  /// so.
  [[nodiscard]] std::uint64_t look_again_us() const noexcept;
  static constexpr std::uint64_t kNever = reclaim::Reclaimer::kNever;
  [[nodiscard]] bool restless() const noexcept { return look_again_us() != kNever; }

  /// One step towards being left alone: serves nothing new, finishes what it holds.
  /// @return true when nothing is on its way and no buffer is held.
  bool quiesce() noexcept;

  // --- The owner, off the lcore -------------------------------------------------------------

  /// Begins to serve a queue.
  /// @pre set_memory() was called; the role does not run, nor kQueues others.
  /// @errors kInvalidArgument when the ring cannot be as the front end described it.
  Result<void> start(wire::Role role, const QueueSetup& setup);

  /// Stops serving. Buffers that were taken and not returned will be taken again.
  /// @return where the ring goes on. @pre the role runs; quiesce() said yes, if it was attached.
  std::uint16_t stop(wire::Role role) noexcept;

  [[nodiscard]] bool running(wire::Role role) const noexcept;
  [[nodiscard]] bool any_running() const noexcept { return rings_running() != 0; }

  /// Null while none is known.
  [[nodiscard]] const gmem::GuestMemory* memory() const noexcept { return memory_.get(); }

  /// Another memory map; pages that are still there stay ballooned. @pre no queue runs.
  /// @param room  see Gather::set_memory().
  void set_memory(std::shared_ptr<const gmem::GuestMemory> memory,
                  const reclaim::LedgerRoom& room = {});

  /// The balloon is one that another process left: see Gather::gather_all().
  void discard_again() noexcept;

  /// See Gather::keep_regions(). Rings may run.
  void keep_regions(std::uint32_t mask) noexcept;

  /// Where its discards are carried out from now on.
  void set_sink(reclaim::BatchSink& sink) noexcept;

  /// The same, on the thread that serves it.
  void discard_by_itself(reclaim::Discarder& discarder);

  /// Carries out all that is gathered, here and now: nobody will later.
  void discard_gathered(reclaim::BatchSink& sink) noexcept;

  /// What the driver acknowledged.
  void set_features(wire::Features acked) noexcept;

  /// The driver was reset: the balloon is empty, and whatever is in it is the guest's again.
  void empty_balloon();

  /// The driver is a new one: what statistics there are describe another guest.
  void forget_stats() noexcept;

  /// The VMM is gone: forgets its memory. @pre no queue runs.
  void release() noexcept;

  /// The balloon is going to be used: see Gather. The lcore may be at work meanwhile.
  void provide_tables() const noexcept { reclaimer_.gather().provide_tables(); }

  // --- Any thread ---------------------------------------------------------------------------

  void request_stats() noexcept;
  /// Discards nothing while on; what is gathered meanwhile goes when it is off again.
  void inhibit(bool on) noexcept;
  [[nodiscard]] bool inhibited() const noexcept { return reclaimer_.gather().inhibited(); }
  /// Memory is put where a deflated page was before its buffer is used; from the next buffer on.
  void prefault(bool on) noexcept;
  [[nodiscard]] bool prefaults() const noexcept { return reclaimer_.prefaults().asked(); }
  /// Reported pages are discarded while on; else their buffers are returned, from the next one on.
  void report(bool on) noexcept { reporting_.store(on, std::memory_order_relaxed); }
  [[nodiscard]] bool reports() const noexcept { return reporting_.load(std::memory_order_relaxed); }
  /// Device 13: the driver is told its target, at once or as soon as it has a buffer for it.
  void tell_target() noexcept;
  /// Device 13: how much finding pages may cost the guest, from the next target on.
  void set_effort(wire::large::Effort effort) noexcept {
    requests_.effort.store(static_cast<std::uint16_t>(effort), std::memory_order_relaxed);
  }
  [[nodiscard]] const Requests& requests() const noexcept { return requests_; }
  [[nodiscard]] const StatsExchange& stats() const noexcept { return stats_; }
  [[nodiscard]] const HintRound& hints() const noexcept { return hints_; }
  [[nodiscard]] const DeviceCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const reclaim::ReclaimCounters& reclaim_counters() const noexcept {
    return reclaimer_.counters();
  }
  /// How its memory treats those who serve it.
  [[nodiscard]] const std::shared_ptr<reclaim::Conduct>& conduct() const noexcept {
    return reclaimer_.handover().conduct();
  }
  /// The address by which whoever carries its batches out names it (Tenure::enter()).
  [[nodiscard]] const void* batches() const noexcept { return &reclaimer_.handover(); }
  /// Who serves it; null while it is its owner's off the lcore.
  [[nodiscard]] Carrier* carrier() const noexcept {
    return carrier_.load(std::memory_order_acquire);
  }
  void carried_by(Carrier* carrier) noexcept { carrier_.store(carrier, std::memory_order_release); }
  [[nodiscard]] const QueueStatus& status(wire::Role role) const noexcept {
    return status_[static_cast<std::size_t>(role)];
  }

 private:
  void open(wire::Role role, Ring ring, bool resumed);
  [[nodiscard]] std::size_t rings_running() const noexcept;
  [[nodiscard]] bool has_work() const noexcept;
  bool serve() noexcept;
  bool move_on() noexcept;
  [[nodiscard]] bool holds_any() const noexcept;
  void seal_held() noexcept;
  void publish_all() noexcept;
  void show_population() noexcept;
  void note_ring(wire::Role role, const virtq::QueueAreas& areas) noexcept;
  void forget_ring(wire::Role role) noexcept;

  Owner owner_;
  DeviceCounters counters_;
  std::atomic<bool> reporting_{true};  // set by the control thread, read by the owner
  reclaim::Reclaimer reclaimer_;
  reclaim::Leaving leaving_;
  DeviceContext context_;
  std::shared_ptr<const gmem::GuestMemory> memory_;
  std::array<QueueStatus, wire::kRoles> status_;
  StatsExchange stats_;
  HintRound hints_;
  Requests requests_;
  Queues queues_;  // they refer to what stands above
  bool lone_ = false;
  std::unique_ptr<reclaim::InlineSink> own_sink_;  // where discard_by_itself() was asked for
  std::atomic<Carrier*> carrier_{nullptr};   // stored by who hands it over, read by who asks for it
  std::atomic<std::uint16_t> attention_{0};  // raised by other threads that want to be heard
};

}  // namespace vballoon::datapath
